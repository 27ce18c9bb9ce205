// Runs the steps of a model: compiles its paged graph, feeds it what a step computes, and puts the new keys and values in
// the cache. Knows no scheduling and no sampling.

import { InputError } from "../error.ts";
import { gather } from "../graph/ops.ts";
import { type Graph, input, trace } from "../graph/trace.ts";
import type { PagedCache } from "../kv/paged-cache.ts";
import { type PagedOptions, pagedStore } from "../kv/paged-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { quantizedInputs, quantizeWeights } from "../model/quantized-weights.ts";
import { rotaryTables } from "../model/rotary.ts";
import { logits, transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { type Buffer, type Device, type Program, putAll, readAll } from "../runtime/device.ts";
import type { Tensors } from "../tensor/tensor.ts";
import type { Slice } from "./scheduler.ts";
import { StepLayout } from "./step-layout.ts";

/** How weights are kept: as they are, or rounded in blocks when they are loaded. */
export type WeightDtype = "float32" | "int8" | "int4";

/** How a model is compiled for the engine. */
export interface RunnerOptions extends PagedOptions {
  readonly weights?: WeightDtype;
}

/** Tokens `[N]` to the logits `[L, V]` of the rows `last [L]` and all owners' new rows (see `pagedStore`). */
export function pagedGraph(config: ModelConfig, { weights: dtype = "float32", ...options }: RunnerOptions): Graph {
  return trace(() => {
    const weights = weightsOf(dtype === "float32" ? weightInputs(config) : quantizedInputs(config, dtype));
    const store = pagedStore(config, options);
    const hidden = transformer(config, weights, input("tokens", "int32", ["N"]), store);
    return { logits: logits(config, weights, gather(hidden, input("last", "int32", ["L"]))), ...store.written };
  });
}

/** A compiled model with its cache. */
export class Runner implements Disposable {
  readonly config: ModelConfig;
  readonly cache: PagedCache;
  readonly #device: Device;
  readonly #program: Program;
  readonly #layout: StepLayout;
  #tables: Tensors = {};
  #positions = 0; // rows of the rotary tables

  private constructor(device: Device, config: ModelConfig, cache: PagedCache, program: Program) {
    this.#device = device;
    this.config = config;
    this.cache = cache;
    this.#program = program;
    this.#layout = new StepLayout(cache, config.heads / config.kvHeads);
  }

  /** Compiles a model for the rows that `cache` holds. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: Tensors,
    cache: PagedCache,
    options: RunnerOptions,
  ): Promise<Runner> {
    if (device.traits.shapes === "fixed") {
      throw new InputError(`engine: ${device.name} trains and scores; it does not serve yet, use the CPU`);
    }
    const { weights: dtype = "float32" } = options;
    const constants = dtype === "float32" ? weights : quantizeWeights(config, weights, dtype);
    const reduced = options.kvDtype === "int8" && !device.traits.exactIntegerSums;
    const graph = pagedGraph(config, { rounding: reduced ? "reduced" : "full", ...options });
    const program = await device.compile(graph, { constants, shared: true });
    return new Runner(device, config, cache, program);
  }

  /** Seconds spent in the compiled graph so far. */
  get seconds(): number {
    return this.#program.seconds;
  }

  /**
   * Computes slices; gives the next token's scores `[V]` of each whose sequence it completes, undefined of others.
   * With `every`, the scores `[count, V]` after each token of each slice.
   */
  async run(slices: readonly Slice[], options: { every: true }): Promise<Float32Array[]>;
  async run(slices: readonly Slice[], options?: { every?: boolean }): Promise<(Float32Array | undefined)[]>;
  async run(slices: readonly Slice[], { every = false } = {}): Promise<(Float32Array | undefined)[]> {
    const { vocab } = this.config;
    const placed: { slice: Slice; row: number }[] = [];
    let count = 0;
    for (const slice of slices) {
      placed.push({ slice, row: count });
      count += slice.count;
    }
    const tokens = new Int32Array(count);
    const positions = new BigInt64Array(count);
    let furthest = 0;
    for (const { slice, row } of placed) {
      const { computed } = slice.sequence;
      tokens.set(slice.sequence.tokens(computed, computed + slice.count), row);
      for (let t = 0; t < slice.count; t++) positions[row + t] = BigInt(computed + t);
      furthest = Math.max(furthest, computed + slice.count);
    }
    const complete = placed.filter(({ slice: { sequence, count } }) => sequence.pending === count);
    const last = every
      ? Int32Array.from({ length: count }, (_, row) => row)
      : Int32Array.from(complete, ({ slice, row }) => row + slice.count - 1);
    const feeds: Tensors = {
      tokens: { dtype: "int32", shape: [count], data: tokens },
      positions: { dtype: "int64", shape: [1, count], data: positions },
      last: { dtype: "int32", shape: [last.length], data: last },
      ...this.#rotary(furthest),
      ...this.#layout.inputs(slices),
      ...this.cache.feeds,
    };
    const { logits, ...rows } = await this.#program.run(putAll(this.#device, feeds));
    const written = await readAll(rows);
    this.cache.write(
      written,
      placed.map(({ slice: { sequence, count }, row }) => ({
        blocks: sequence.blocks,
        start: sequence.computed,
        row,
        count,
      })),
    );
    const scores = (await (logits as Buffer).read()).data as Float32Array;
    if (every) return placed.map(({ slice, row }) => scores.subarray(row * vocab, (row + slice.count) * vocab));
    let next = 0;
    return slices.map(({ sequence, count }) => {
      if (sequence.pending !== count) return undefined;
      const row = next++;
      return scores.subarray(row * vocab, (row + 1) * vocab);
    });
  }

  /** Makes the cache one of `blocks` blocks; those in `renumbered` keep what they hold. */
  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void {
    this.cache.resize(blocks, renumbered);
    this.#layout.forget();
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }

  /** Rotary tables of at least `positions` rows; they grow by doubling. */
  #rotary(positions: number): Tensors {
    if (positions > this.#positions) {
      this.#positions = Math.max(positions, 2 * this.#positions, 1024);
      const { cos, sin } = rotaryTables(this.config, this.#positions);
      this.#tables = { "rope.cos": cos, "rope.sin": sin };
    }
    return this.#tables;
  }
}
