// Runs the steps of a model: compiles its serving graph, feeds it what a step computes, and hands the new keys and values
// to the memory. Knows no scheduling, no sampling, and not how keys and values are kept.

import { InputError } from "../error.ts";
import { gather } from "../graph/ops.ts";
import { type Graph, input, trace } from "../graph/trace.ts";
import type { KvMemory, Span } from "../kv/kv-memory.ts";
import type { DecoderConfig, ModelConfig } from "../model/config.ts";
import type { WeightDtype } from "../model/formats.ts";
import type { Rounding } from "../model/integer-rows.ts";
import { keptWeights } from "../model/quantized-weights.ts";
import { logits, transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { type Buffer, type Device, type Program, putAll } from "../runtime/device.ts";
import type { Tensors } from "../tensor/tensor.ts";
import type { Slice } from "./scheduler.ts";

/** What computes the steps of an engine. */
export interface StepRunner extends Disposable {
  readonly config: ModelConfig;
  readonly memory: KvMemory;
  /** Seconds spent in the compiled graph so far. */
  readonly seconds: number;
  /** Computes slices; gives the next token's scores `[V]` of each whose sequence it completes, undefined of others. */
  run(slices: readonly Slice[]): Promise<(Float32Array | undefined)[]>;
  /** Computes slices; gives for each the scores `[V]` after each of its tokens. */
  runAll(slices: readonly Slice[]): Promise<Float32Array[][]>;
}

/** Tokens `[N]` to the logits `[L, V]` of the rows `last [L]` and the memory's new rows (see `ServingStore`). */
export function servingGraph(
  config: DecoderConfig,
  memory: KvMemory,
  dtype: WeightDtype = "float32",
  rounding: Rounding = "full",
): Graph {
  return trace(() => {
    const weights = weightsOf(weightInputs(config, dtype), "float32", rounding);
    const store = memory.store();
    const hidden = transformer(config, weights, input("tokens", "int32", ["N"]), store);
    return { logits: logits(config, weights, gather(hidden, input("last", "int32", ["L"]))), ...store.outputs };
  });
}

/** Where the slices' tokens stand in a step, one after the other. */
export function spansOf(slices: readonly Slice[]): Span[] {
  let row = 0;
  return slices.map(({ sequence: { blocks, computed }, count }) => {
    const span = { blocks, start: computed, row, count };
    row += count;
    return span;
  });
}

/** A compiled model with its memory. */
export class Runner implements StepRunner {
  readonly config: ModelConfig;
  readonly memory: KvMemory;
  readonly #device: Device;
  readonly #program: Program;

  private constructor(device: Device, config: ModelConfig, memory: KvMemory, program: Program) {
    this.#device = device;
    this.config = config;
    this.memory = memory;
    this.#program = program;
  }

  /** Compiles a model to attend to what `memory` holds. Weights are kept as they are, or rounded: `dtype`. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: Tensors,
    memory: KvMemory,
    dtype: WeightDtype = "float32",
  ): Promise<Runner> {
    if (device.traits.shapes === "fixed") {
      throw new InputError(`engine: ${device.name} trains and scores; it does not serve yet, use the CPU`);
    }
    const constants = keptWeights(config, weights, dtype);
    const rounding = device.traits.exactIntegerSums ? "full" : "reduced";
    const graph = servingGraph(config, memory, dtype, rounding);
    const program = await device.compile(graph, { constants, shared: true });
    return new Runner(device, config, memory, program);
  }

  get seconds(): number {
    return this.#program.seconds;
  }

  async run(slices: readonly Slice[]): Promise<(Float32Array | undefined)[]> {
    const ends = slices.map(({ sequence: { pending }, count }) => pending === count);
    const last = spansOf(slices).flatMap(({ row, count }, i) => (ends[i] ? [row + count - 1] : []));
    const scores = await this.#compute(slices, last);
    const rows = scores.values();
    return ends.map((end) => (end ? rows.next().value : undefined));
  }

  async runAll(slices: readonly Slice[]): Promise<Float32Array[][]> {
    const count = slices.reduce((sum, slice) => sum + slice.count, 0);
    const scores = await this.#compute(slices, [...Array(count).keys()]);
    return spansOf(slices).map(({ row, count }) => scores.slice(row, row + count));
  }

  /** Computes slices; gives the scores after the rows `last`. */
  async #compute(slices: readonly Slice[], last: readonly number[]): Promise<Float32Array[]> {
    const { memory, config } = this;
    const spans = spansOf(slices);
    const count = spans.reduce((sum, span) => sum + span.count, 0);
    const tokens = new Int32Array(count);
    for (const [i, { start, row, count }] of spans.entries()) {
      tokens.set((slices[i] as Slice).sequence.tokens(start, start + count), row);
    }
    const own = putAll(this.#device, {
      tokens: { dtype: "int32", shape: [count], data: tokens },
      last: { dtype: "int32", shape: [last.length], data: Int32Array.from(last) },
    });
    const outputs = await this.#program.run({ ...memory.inputs(spans), ...own }); // the larger first: V8 copies it whole
    await memory.take(outputs, spans);
    const scores = (await (outputs.logits as Buffer).read()).data as Float32Array;
    for (const buffer of [...Object.values(own), ...Object.values(outputs)]) buffer[Symbol.dispose]();
    return last.map((_, i) => scores.subarray(i * config.vocab, (i + 1) * config.vocab));
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
    this.memory[Symbol.dispose]();
  }
}
