// Arrays that the host's operations compute on: elements as JavaScript numbers, whatever their dtype, and the walks over
// them. A result is rounded to its dtype once, when it is kept.

import { fromBfloat16, fromFloat16 } from "../tensor/half.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

/** Row-major numbers with a shape. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> & Iterable<number>;
}

/** A tensor's elements as numbers, in place where the dtype allows it. */
export function numbersOf({ dtype, shape, data }: Tensor): Numbers {
  if (dtype === "int64") return { shape, data: Float64Array.from(data as BigInt64Array, Number) };
  if (dtype === "float16") return { shape, data: Float32Array.from(data as Uint16Array, fromFloat16) };
  if (dtype === "bfloat16") return { shape, data: Float32Array.from(data as Uint16Array, fromBfloat16) };
  return { shape, data: data as Float32Array };
}

/** The array whose element at every index is `f(index)`; the index is one array that changes. */
export function generate(shape: readonly number[], f: (index: readonly number[]) => number): Numbers {
  const data = new Float64Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let place = 0; place < data.length; place++) {
    data[place] = f(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return { shape, data };
}

/** How far apart neighbours along each of `shape`'s axes lie in `x`, which is broadcast to it: 0 along repeated ones. */
export function stridesIn(x: Numbers, shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length).fill(0);
  let stride = 1;
  for (let axis = x.shape.length - 1; axis >= 0; axis--) {
    if (x.shape[axis] !== 1) strides[axis + shape.length - x.shape.length] = stride;
    stride *= x.shape[axis] as number;
  }
  return strides;
}

/** The place in an array at `index` under `strides`. */
export function placeOf(index: readonly number[], strides: readonly number[]): number {
  let place = 0;
  for (let axis = 0; axis < index.length; axis++) place += (index[axis] as number) * (strides[axis] as number);
  return place;
}

/** Numpy's rule. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

/** `f` of each element. */
export function map({ shape, data }: Numbers, f: (x: number) => number): Numbers {
  const result = new Float64Array(data.length);
  for (let i = 0; i < result.length; i++) result[i] = f(data[i] as number);
  return { shape, data: result };
}

/** `f` of the elements of two arrays, broadcast to each other. */
export function combine(a: Numbers, b: Numbers, f: (x: number, y: number) => number): Numbers {
  const shape = broadcast(a.shape, b.shape);
  const [left, right] = [stridesIn(a, shape), stridesIn(b, shape)];
  return generate(shape, (index) => f(a.data[placeOf(index, left)] as number, b.data[placeOf(index, right)] as number));
}

/** Each row along the last axis folded to `f` of it. */
export function foldRows({ shape, data }: Numbers, f: (row: Float64Array) => number): Numbers {
  const width = shape.at(-1) as number;
  const kept = shape.slice(0, -1);
  const result = new Float64Array(sizeOf(kept));
  const row = new Float64Array(width);
  for (let r = 0; r < result.length; r++) {
    for (let i = 0; i < width; i++) row[i] = data[r * width + i] as number;
    result[r] = f(row);
  }
  return { shape: kept, data: result };
}

/** alpha · op(a) · op(b) over the last two axes; leading axes are broadcast. */
export function multiply(
  a: Numbers,
  b: Numbers,
  { transA = false, transB = false, alpha = 1 }: { transA?: boolean; transB?: boolean; alpha?: number } = {},
): Numbers {
  const [ra, ca] = a.shape.slice(-2) as [number, number];
  const [rb, cb] = b.shape.slice(-2) as [number, number];
  const [rows, inner, columns] = [transA ? ca : ra, transA ? ra : ca, transB ? rb : cb];
  const [rowA, stepA] = transA ? [1, ca] : [ca, 1];
  const [stepB, columnB] = transB ? [1, cb] : [cb, 1];
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [left, right] = [a, b].map((x) => {
    const leading = { shape: x.shape.slice(0, -2), data: x.data };
    return stridesIn(leading, batch).map((stride) => stride * sizeOf(x.shape.slice(-2)));
  }) as [number[], number[]];
  const data = new Float64Array(sizeOf(batch) * rows * columns);
  let place = 0;
  generate(batch, (index) => {
    const [startA, startB] = [placeOf(index, left), placeOf(index, right)];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, place++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const x = a.data[startA + i * rowA + k * stepA] as number;
          sum += x * (b.data[startB + k * stepB + j * columnB] as number);
        }
        data[place] = alpha * sum;
      }
    }
    return 0;
  });
  return { shape: [...batch, rows, columns], data };
}
