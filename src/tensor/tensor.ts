// Tensors as plain data: a dtype, a shape and a typed array in row-major order. No operations: graphs have those.

import { allocate, type DataOf, type DType } from "./dtype.ts";
import { toBfloat16, toFloat16 } from "./half.ts";

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

/** Numbers kept as `dtype`: floats are rounded to the nearest, fractions cut off for integers. */
export function tensorOf<D extends DType>(dtype: D, shape: readonly number[], numbers: ArrayLike<number>): Tensor<D> {
  if (dtype === "float32" && numbers instanceof Float32Array) return { dtype, shape, data: numbers as DataOf<D> };
  const data = allocate(dtype, numbers.length);
  for (let i = 0; i < data.length; i++) data[i] = element(dtype, numbers[i] as number) as never;
  return { dtype, shape, data };
}

function element(dtype: DType, x: number): number | bigint {
  if (dtype === "int64") return BigInt(Math.trunc(x));
  if (dtype === "float16") return toFloat16(x);
  if (dtype === "bfloat16") return toBfloat16(x);
  if (dtype === "bool") return Number(x !== 0);
  return dtype === "float32" ? x : Math.trunc(x);
}
