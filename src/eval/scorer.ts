// Log-likelihoods of given tokens by a model: one compiled graph of fixed batch and length, for any weights of its config.
// Knows tokens only, no text.

import { reshape } from "../graph/ops.ts";
import { input, trace } from "../graph/trace.ts";
import { causalStore } from "../model/causal-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { logLikelihoods } from "../model/loss.ts";
import { transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { compile } from "../runtime/onnxruntime-node.ts";
import type { Program } from "../runtime/program.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { inGroups } from "./groups.ts";

/** Tokens to read and, for each of them, the token to score after it. Both have one length, at most the context. */
export interface Window {
  readonly inputs: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
}

/** Scores windows of tokens in batches. */
export class Scorer implements Disposable {
  readonly #program: Program;
  readonly #batch: number;
  readonly #length: number;

  private constructor(program: Program, batch: number, length: number) {
    this.#program = program;
    this.#batch = batch;
    this.#length = length;
  }

  /** Compiles for windows of up to the model's context; about 2048 tokens at a time unless `batch` says otherwise. */
  static async create(
    config: ModelConfig,
    { threads, batch = Math.max(1, Math.floor(2048 / config.context)) }: { threads?: number; batch?: number } = {},
  ): Promise<Scorer> {
    const length = config.context;
    const graph = trace(() => {
      const flat = (name: string) => reshape(input(name, "int32", [batch, length]), [batch * length]);
      const weights = weightsOf(weightInputs(config));
      const hidden = transformer(config, weights, flat("tokens"), causalStore(config, { batch, length }));
      return { scores: logLikelihoods(config, weights, hidden, flat("labels")) };
    });
    return new Scorer(await compile(graph, { threads }), batch, length);
  }

  /** For each window log p(labels[i] | inputs[0 … i]) in nats. Shorter windows are padded on the right, unseen. */
  async *score(weights: Tensors, windows: Iterable<Window> | AsyncIterable<Window>): AsyncGenerator<Float32Array> {
    for await (const group of inGroups(windows, this.#batch)) yield* await this.#run(weights, group);
  }

  async #run(weights: Tensors, group: Window[]): Promise<Float32Array[]> {
    const [shape, length] = [[this.#batch, this.#length], this.#length];
    const [tokens, labels] = [new Int32Array(this.#batch * length), new Int32Array(this.#batch * length)];
    for (const [i, window] of group.entries()) {
      if (window.inputs.length > length || window.inputs.length !== window.labels.length) {
        throw new RangeError(`score: a window of ${window.inputs.length} tokens, at most ${length} fit`);
      }
      tokens.set(window.inputs, i * length);
      labels.set(window.labels, i * length);
    }
    const { scores } = await this.#program.run({
      ...weights,
      tokens: { dtype: "int32", shape, data: tokens },
      labels: { dtype: "int32", shape, data: labels },
    });
    const data = scores?.data as Float32Array;
    return group.map(({ inputs }, i) => data.slice(i * length, i * length + inputs.length));
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
