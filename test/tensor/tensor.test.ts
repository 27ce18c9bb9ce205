// Tensors are plain data of the right length.

import { expect, test } from "vitest";
import { allocate, bytesPer, type DType, viewOf } from "../../src/tensor/dtype.ts";
import { scalar, sizeOf, tensor, zeros } from "../../src/tensor/tensor.ts";

const dtypes = Object.keys(bytesPer) as DType[];

test.each(dtypes)("%s: bytes per element are the array's, alone and as a view", (dtype) => {
  const data = allocate(dtype, 6);
  expect(data.BYTES_PER_ELEMENT).toBe(bytesPer[dtype]);
  expect(data).toHaveLength(6);
  const view = viewOf(dtype, data.buffer, 2 * bytesPer[dtype], 3);
  view[0] = (dtype === "int64" ? 1n : 1) as never;
  expect(Array.from(data as Float32Array, Number)).toEqual([0, 0, 1, 0, 0, 0]);
  expect(view.constructor).toBe(data.constructor);
});

test("sizes: the product of the dimensions, 1 for a scalar", () => {
  expect(sizeOf([])).toBe(1);
  expect(sizeOf([2, 3, 4])).toBe(24);
  expect(sizeOf([2, 0])).toBe(0);
  expect(scalar(2.5)).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(2.5) });
  expect(zeros("int64", [2])).toEqual({ dtype: "int64", shape: [2], data: BigInt64Array.of(0n, 0n) });
});

test("data of another length is refused", () => {
  expect(tensor("int32", [2], Int32Array.of(1, 2)).data[1]).toBe(2);
  const message = "tensor: shape [2,3] holds 6 elements, the data has 5";
  expect(() => tensor("float32", [2, 3], new Float32Array(5))).toThrow(new RangeError(message));
});
