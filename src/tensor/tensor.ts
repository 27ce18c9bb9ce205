// Tensors as plain data: a dtype, a shape and a typed array in row-major order. No operations: graphs have those.

import { allocate, type DataOf, type DType } from "./dtype.ts";

/** Row-major data with a shape. `data.length` is the product of `shape`. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf<D>;
}

/** Tensors by name: feeds, fetches, parameters, checkpoint contents. */
export type Tensors = Record<string, Tensor>;

/** The number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

/** Wraps `data`; throws a RangeError where its length does not suit the shape. */
export function tensor<D extends DType>(dtype: D, shape: readonly number[], data: DataOf<D>): Tensor<D> {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(`tensor: shape [${shape}] holds ${sizeOf(shape)} elements, the data has ${data.length}`);
  }
  return { dtype, shape, data };
}

/** A tensor of zeros. */
export function zeros<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  return { dtype, shape, data: allocate(dtype, sizeOf(shape)) };
}

/** A float32 scalar. */
export function scalar(value: number): Tensor<"float32"> {
  return { dtype: "float32", shape: [], data: Float32Array.of(value) };
}
