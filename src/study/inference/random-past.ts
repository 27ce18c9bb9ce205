// A runner that reads no prompt: it puts random rows in place of the prompt's keys and values, so that decoding after a
// long past is measured without computing that past. It computes the tokens that decode.

import { type Runner, type StepRunner, servingGraph, spansOf } from "../../engine/runner.ts";
import type { Slice } from "../../engine/scheduler.ts";
import type { Type } from "../../graph/value.ts";
import type { KvMemory } from "../../kv/kv-memory.ts";
import type { ModelConfig } from "../../model/config.ts";
import { type Buffers, type Device, putAll } from "../../runtime/device.ts";
import { randomRows } from "./synthetic.ts";

/** Another runner's steps after random pasts, which it writes to that runner's memory. */
export class RandomPast implements StepRunner {
  readonly config: ModelConfig;
  readonly memory: KvMemory;
  readonly #device: Device;
  readonly #runner: Runner;
  readonly #types: Readonly<Record<string, Type>>;
  #rows: { count: number; buffers: Buffers } | undefined; // the last ones; many prompts have one length

  constructor(device: Device, runner: Runner) {
    this.config = runner.config;
    this.memory = runner.memory;
    this.#device = device;
    this.#runner = runner;
    const { logits: _, ...rows } = servingGraph(runner.config, runner.memory).outputs;
    this.#types = rows;
  }

  get seconds(): number {
    return this.#runner.seconds;
  }

  runAll(slices: readonly Slice[]): Promise<Float32Array[][]> {
    return this.#runner.runAll(slices);
  }

  /** As a runner does; the token after a prompt is the first of the vocabulary. */
  async run(slices: readonly Slice[]): Promise<(Float32Array | undefined)[]> {
    const reads = ({ sequence }: Slice) => sequence.computed < sequence.promptLength;
    for (const span of spansOf(slices.filter(reads))) {
      await this.memory.take(this.#rowsOf(span.count), [{ ...span, row: 0 }]);
    }
    const decoding = slices.filter((slice) => !reads(slice));
    const scores = decoding.length > 0 ? await this.#runner.run(decoding) : [];
    const found = new Map(decoding.map(({ sequence }, i) => [sequence, scores[i]]));
    return slices.map(({ sequence, count }) => {
      return found.get(sequence) ?? (sequence.pending === count ? new Float32Array(this.config.vocab) : undefined);
    });
  }

  /** Nothing: the runner is its maker's. */
  [Symbol.dispose](): void {}

  #rowsOf(count: number): Buffers {
    if (this.#rows?.count !== count) {
      this.#rows = { count, buffers: putAll(this.#device, randomRows(this.#types, count)) };
    }
    return this.#rows.buffers;
  }
}
