// Log-likelihoods of given tokens by a model: one compiled graph of fixed batch and length, for any weights of its config.
// Knows tokens only, no text.

import { reshape } from "../graph/ops.ts";
import { input, trace } from "../graph/trace.ts";
import { causalStore } from "../model/causal-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { logLikelihoods } from "../model/loss.ts";
import { parameterLayouts, type Shard } from "../model/parameter-layouts.ts";
import type { Precision } from "../model/precision.ts";
import { transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import type { Buffer, Buffers, Device, Program } from "../runtime/device.ts";
import type { Layout } from "../tensor/layout.ts";
import { inGroups } from "./groups.ts";

/** Tokens to read and, for each of them, the token to score after it. Both have one length, at most the context. */
export interface Window {
  readonly inputs: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** What a model says of a window's labels, in nats. */
export interface Judged {
  /** log p(labels[i] | inputs[0 … i]). */
  readonly scores: Float32Array;
  /** log p of the likeliest token at each place; a label that is as likely would be drawn at temperature 0. */
  readonly best: Float32Array;
}

/** What scores windows: a model with its weights. */
export interface WindowScorer {
  /** For each window log p(labels[i] | inputs[0 … i]) in nats. */
  score(windows: Iterable<Window> | AsyncIterable<Window>): AsyncIterable<Float32Array>;
  /** The same, with the likeliest token's. */
  judge(windows: Iterable<Window> | AsyncIterable<Window>): AsyncIterable<Judged>;
}

/** What `judge` gives, of which the scores alone are asked. */
export async function* scoresOf(judged: AsyncIterable<Judged>): AsyncGenerator<Float32Array> {
  for await (const { scores } of judged) yield scores;
}

/** How to compile a scorer. */
export interface ScorerOptions {
  /** Tokens of the longest window; the model's context if not said. */
  readonly length?: number;
  /** Windows at a time; as many tokens as suit the device if not given. */
  readonly batch?: number;
  /** What matrices are multiplied in; float32 if not said. */
  readonly precision?: Precision | undefined;
  /** How the weights lie on a device of several cards, if not whole on each. */
  readonly shard?: Shard | undefined;
}

/** Windows of a batch, as many as suit the device if no number is asked; every card gets as many as the others. */
export function windowsAtOnce({ traits: { mesh, scoredTokens } }: Device, length: number, asked?: number): number {
  const least = asked ?? Math.max(1, Math.floor(scoredTokens / length));
  return Math.ceil(least / mesh.data) * mesh.data;
}

/** Windows lie spread over a device's cards. */
const rows: Layout = ["data"];

/** A model that scores windows of tokens in batches, compiled for any weights of its config. */
export class Scorer implements Disposable {
  readonly #device: Device;
  readonly #program: Program;
  readonly #batch: number;
  readonly #length: number;

  private constructor(device: Device, program: Program, { batch, length }: { batch: number; length: number }) {
    this.#device = device;
    this.#program = program;
    this.#batch = batch;
    this.#length = length;
  }

  /** Compiles for windows of up to `length` tokens. */
  static async create(
    device: Device,
    config: ModelConfig,
    { length = config.context, batch: asked, precision, shard }: ScorerOptions = {},
  ): Promise<Scorer> {
    const { attention, attentionBlock, logitElements, mesh } = device.traits;
    const batch = windowsAtOnce(device, length, asked);
    const graph = trace(() => {
      const flat = (name: string) => reshape(input(name, "int32", [batch, length]), [batch * length]);
      const weights = weightsOf(weightInputs(config, "float32", precision), precision);
      const store = causalStore(config, { batch, length, attention, block: attentionBlock, precision });
      const hidden = transformer(config, weights, flat("tokens"), store);
      return { ...logLikelihoods(config, weights, hidden, flat("labels"), logitElements) };
    });
    const layouts = { ...parameterLayouts(config, mesh, shard), tokens: rows, labels: rows, scores: rows, best: rows };
    return new Scorer(device, await device.compile(graph, { layouts }), { batch, length });
  }

  /** The model with these weights, which must stay as they are while it scores. Shorter windows are padded, unseen. */
  with(weights: Buffers): WindowScorer {
    const run = (group: Window[]) => this.#run(weights, group);
    const batch = this.#batch;
    return {
      score(windows) {
        return scoresOf(this.judge(windows));
      },
      async *judge(windows) {
        for await (const group of inGroups(windows, batch)) yield* await run(group);
      },
    };
  }

  async #run(weights: Buffers, group: Window[]): Promise<Judged[]> {
    const [shape, length] = [[this.#batch, this.#length], this.#length];
    const [tokens, labels] = [new Int32Array(this.#batch * length), new Int32Array(this.#batch * length)];
    for (const [i, window] of group.entries()) {
      if (window.inputs.length > length || window.inputs.length !== window.labels.length) {
        throw new RangeError(`score: a window of ${window.inputs.length} tokens, at most ${length} fit`);
      }
      tokens.set(window.inputs, i * length);
      labels.set(window.labels, i * length);
    }
    using read = this.#device.put({ dtype: "int32", shape, data: tokens }, rows);
    using wanted = this.#device.put({ dtype: "int32", shape, data: labels }, rows);
    const found = await this.#program.run({ ...weights, tokens: read, labels: wanted });
    using scores = found.scores as Buffer;
    using best = found.best as Buffer;
    const [scored, likeliest] = [(await scores.read()).data, (await best.read()).data] as Float32Array[];
    return group.map(({ inputs }, i) => {
      const [start, end] = [i * length, i * length + inputs.length];
      return {
        scores: (scored as Float32Array).slice(start, end),
        best: (likeliest as Float32Array).slice(start, end),
      };
    });
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
