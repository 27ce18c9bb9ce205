// Which operands operations take, and the types of what they give. (That declared shapes are the computed ones is held
// by the interpreter wherever it runs.)

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  add,
  cast,
  concat,
  expand,
  gather,
  logSumExp,
  matmul,
  max,
  pad,
  pick,
  quantizedMatmul,
  reshape,
  rmsNorm,
  rotary,
  slice,
  softmaxWeighted,
  sum,
  sumSquares,
  sumTo,
  transpose,
} from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { broadcastShapes, fixedShape, type Shape, describe as type, type Value } from "../../src/graph/value.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { interpret } from "./interpreter.ts";

let count = 0;
const of = (shape: Shape, dtype: DType = "float32") => input(`x${count++}`, dtype, shape);

const quantized = (x: Shape, codes: Shape, scales: Shape) => quantizedMatmul(of(x), of(codes, "uint8"), of(scales));

/** The type of what `build` makes, as text. */
function typeOf(build: () => Value): string {
  let made = "";
  trace(() => {
    const value = build();
    made = type(value);
    return { value };
  });
  return made;
}

describe("types", () => {
  test.each<[string, () => Value, string]>([
    ["add broadcasts", () => add(of([2, 1, 3]), of([4, 1])), "float32[2, 4, 3]"],
    ["add keeps names", () => add(of(["T", 3]), of([1, 3])), "float32[T, 3]"],
    ["cast", () => cast(of([2]), "int64"), "int64[2]"],
    ["matmul", () => matmul(of([5, 2, 3]), of([3, 4])), "float32[5, 2, 4]"],
    ["matmul, both swapped", () => matmul(of([3, 2]), of([4, 3]), { transA: true, transB: true }), "float32[2, 4]"],
    ["matmul of names", () => matmul(of(["T", 3]), of(["S", 3]), { transB: true }), "float32[T, S]"],
    ["quantizedMatmul", () => quantized(["T", 33], [5, 2, 16], [5, 2]), "float32[T, 5]"],
    ["reshape", () => reshape(of([2, 6]), [3, 4]), "float32[3, 4]"],
    ["transpose", () => transpose(of([2, "T", 4]), [1, 2, 0]), "float32[T, 4, 2]"],
    ["expand", () => expand(of([1, 3]), [2, 3]), "float32[2, 3]"],
    ["concat", () => concat([of([2, 3]), of([2, 4])], 1), "float32[2, 7]"],
    ["concat of names", () => concat([of(["S", 3]), of(["T", 3])], 0, "S+T"), "float32[S+T, 3]"],
    ["slice", () => slice(of([5, 3]), 0, 1, 3), "float32[2, 3]"],
    ["pad", () => pad(of([5, 3]), 1, 1, 2), "float32[5, 6]"],
    ["sum", () => sum(of([2, 3, 4]), [-1, 0]), "float32[3]"],
    ["max, kept", () => max(of([2, 3]), [1], true), "float32[2, 1]"],
    ["sumSquares", () => sumSquares(of([2, 3])), "float32[]"],
    ["sumTo", () => sumTo(of([4, 2, 3]), [2, 1]), "float32[2, 1]"],
    ["logSumExp", () => logSumExp(of([2, 3])), "float32[2]"],
    ["rmsNorm's reciprocal", () => rmsNorm(of([2, 3]), of([3]), 1).node.outputs[1] as Value, "float32[2, 1]"],
    ["softmaxWeighted", () => softmaxWeighted(of([2, 3, 4]), of([2, 4, 5])), "float32[2, 3, 5]"],
    ["its weights", () => softmaxWeighted(of([3, 4]), of([4, 5])).node.outputs[1] as Value, "float32[3, 4]"],
    ["gather", () => gather(of([9, 4]), of([2, 3], "int32")), "float32[2, 3, 4]"],
    ["pick", () => pick(of([5, 9]), of([5], "int32")), "float32[5]"],
  ])("%s", (_, build, expected) => {
    expect(typeOf(build)).toBe(expected);
  });
});

describe("nothing to do makes no node", () => {
  test.each<[string, (x: Value) => Value]>([
    ["reshape", (x) => reshape(x, [2, 3])],
    ["transpose", (x) => transpose(x, [0, 1])],
    ["expand", (x) => expand(x, [2, 3])],
    ["concat", (x) => concat([x], 0)],
    ["slice", (x) => slice(x, 1, 0, 3)],
    ["pad", (x) => pad(x, 0, 0, 0)],
    ["sum", (x) => sum(x, [])],
    ["sumTo", (x) => sumTo(x, [2, 3])],
    ["cast", (x) => cast(x, "float32")],
  ])("%s", (_, build) => {
    trace(() => {
      const x = of([2, 3]);
      expect(build(x)).toBe(x);
      return { x };
    });
  });
});

describe("refused", () => {
  test.each<[string, () => Value, string]>([
    ["shapes that do not broadcast", () => add(of([2, 3]), of([2])), "cannot broadcast [2, 3] with [2]: 3 meets 2"],
    ["names that differ", () => add(of(["S"]), of(["T"])), "cannot broadcast [S] with [T]: S meets T"],
    ["dtypes that differ", () => add(of([1]), of([1], "int32")), "add: float32[1] and int32[1] differ in dtype"],
    ["a vector in a product", () => matmul(of([3]), of([3, 2])), "matmul: needs two axes or more, found float32[3]"],
    [
      "inner sizes that differ",
      () => matmul(of([2, 3]), of([2, 3])),
      "matmul: float32[2, 3] · float32[2, 3]: 3 meets 2",
    ],
    [
      "rounded numbers that are not bytes",
      () => quantizedMatmul(of([2, 32]), of([5, 1, 32]), of([5, 1])),
      "needs float32",
    ],
    [
      "blocks of another matrix",
      () => quantized([2, 65], [5, 2, 32], [5, 2]),
      "65 meets other blocks of 32 in float32[2, 65], uint8[5, 2, 32]",
    ],
    ["blocks of 64", () => quantized([2, 32], [5, 1, 64], [5, 1]), "64 bytes a block in"],
    [
      "scales of other blocks",
      () => quantized([2, 33], [5, 2, 32], [10]),
      "33 meets other blocks of 32 in float32[2, 33], uint8[5, 2, 32], float32[10]",
    ],
    ["another size", () => reshape(of([2, 3]), [4]), "reshape: float32[2, 3] has 6 elements, [4] 4"],
    ["another size beside a name", () => reshape(of(["T", 6]), ["T", 5]), "has T·6 elements"],
    ["an axis twice", () => transpose(of([2, 3]), [0, 0]), "transpose: [0,0] is no order of the axes of float32[2, 3]"],
    ["no parts", () => concat([], 0), "concat: no parts"],
    [
      "parts that do not join",
      () => concat([of([2, 3]), of([3, 3])], 1),
      "concat: float32[3, 3] does not join float32[2, 3]",
    ],
    ["a sum without a name", () => concat([of(["S"]), of(["T"])], 0), "concat: [S, T] along axis 0 needs a name"],
    ["a slice beyond the end", () => slice(of([2]), 0, 1, 3), "slice: 1…3 of axis 0 of float32[2]"],
    ["an empty slice", () => slice(of([2]), 0, 1, 1), "slice: 1…1"],
    ["a slice of a named axis", () => slice(of(["T"]), 0, 0, 1), "slice: 0…1 of axis 0 of float32[T]"],
    [
      "a scale of another width",
      () => rmsNorm(of([2, 3]), of([2]), 1),
      "rmsNorm: scale float32[2] does not suit float32[2, 3]",
    ],
    [
      "a rotation of a matrix",
      () => rotary(of([2, 4]), of([2]), of([1, 1]), of([1, 1])),
      "rotary: needs [B, T, heads·D]",
    ],
    ["picking from a vector", () => pick(of([3]), of([3], "int32")), "pick: needs a matrix and a vector"],
  ])("%s", (_, build, message) => {
    expect(() => typeOf(build)).toThrow(TypeError);
    expect(() => typeOf(build)).toThrow(message);
  });

  test("names where numbers are needed", () => {
    expect(() => fixedShape(["T", 2], "mask")).toThrow("mask: needs fixed dimensions, found [T, 2]");
    expect(fixedShape([3, 2], "mask")).toEqual([3, 2]);
  });
});

const shapes = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 });

test("broadcasting is symmetric and knows its neutral shape", () => {
  fc.assert(
    fc.property(shapes, shapes, (a, b) => {
      const both = (x: Shape, y: Shape) => {
        try {
          return broadcastShapes(x, y);
        } catch {
          return "refused";
        }
      };
      expect(both(a, b)).toEqual(both(b, a));
      expect(both(a, [])).toEqual(a);
      expect(both(a, a)).toEqual(a);
    }),
    { seed: 1 },
  );
});

test("sumTo undoes any broadcast: every element is summed as often as it was repeated", () => {
  fc.assert(
    fc.property(shapes, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat(4), (to, ones, dropped) => {
      const from = to.map((dim, axis): number => (ones[axis] ? 1 : dim)).slice(Math.min(dropped, to.length));
      const graph = trace(() => ({ y: sumTo(expand(input("x", "float32", from), to), from) }));
      const size = from.reduce((product, dim) => product * dim, 1);
      const data = Array.from({ length: size }, (_, i) => i + 1);
      const repeats = to.reduce((product, dim) => product * dim, 1) / size;
      const { y } = interpret(graph, { x: { shape: from, data } });
      expect([...(y?.data ?? [])]).toEqual(data.map((v) => v * repeats));
    }),
    { seed: 2, numRuns: 200 },
  );
});
