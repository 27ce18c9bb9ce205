// Which token of a step reads which block, as the index inputs of a paged graph (see paged-inputs.ts). The next
// step uses the same layout if its tokens read the same blocks. Knows neither graph nor how keys and values are kept.

import type { Tensors } from "../tensor/tensor.ts";
import type { HostPools } from "./host-pools.ts";
import type { Span } from "./kv-memory.ts";
import type { Reading } from "./parties.ts";

/** Lays out a step, moving the pools' blocks, and gives index inputs. */
export type LayOut<Inputs extends Tensors> = (readings: readonly Reading[], pools: HostPools) => Inputs;

/** Lays out the steps on some pools. */
export class StepLayout<Inputs extends Tensors> {
  readonly #pools: HostPools;
  readonly #layOut: LayOut<Inputs>;
  #last: { readings: readonly Reading[]; inputs: Inputs } | undefined;

  constructor(pools: HostPools, layOut: LayOut<Inputs>) {
    this.#pools = pools;
    this.#layOut = layOut;
  }

  /** Forgets the last step, whose blocks lie elsewhere now. */
  forget(): void {
    this.#last = undefined;
  }

  /** Moves blocks as the step needs them and gives the graph's index inputs, the last ones if they still hold. */
  inputs(spans: readonly Span[]): Inputs {
    const readings = spans.map((span): Reading => {
      return { ...span, past: span.blocks.slice(0, Math.ceil(span.start / this.#pools.blockSize)) };
    });
    if (!this.#last || !reads(readings, this.#last.readings)) {
      this.#last = { readings, inputs: this.#layOut(readings, this.#pools) };
    }
    return this.#last.inputs;
  }
}

/** Whether a step of single tokens reads the same blocks as the last one did; nothing else has moved them. */
function reads(readings: readonly Reading[], last: readonly Reading[]): boolean {
  return (
    readings.length === last.length &&
    readings.every(({ count, past }, i) => {
      const before = last[i] as Reading;
      return (
        count === 1 &&
        before.count === 1 &&
        past.length === before.past.length &&
        past.every((block, j) => block === before.past[j])
      );
    })
  );
}
