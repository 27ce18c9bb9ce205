// Buffers that are JavaScript's own memory: the tensor that was put, in place.

import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Buffer, Buffers } from "./device.ts";

/** A tensor where it lies. */
export class HostBuffer implements Buffer {
  readonly tensor: Tensor;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
  }

  get dtype(): DType {
    return this.tensor.dtype;
  }

  get shape(): readonly number[] {
    return this.tensor.shape;
  }

  async read(): Promise<Tensor> {
    return this.tensor;
  }

  [Symbol.dispose](): void {} // memory is JavaScript's
}

/** The same buffers with every element 0. */
export function cleared(buffers: Buffers): Buffers {
  for (const buffer of Object.values(buffers)) (buffer as HostBuffer).tensor.data.fill(0 as never);
  return buffers;
}
