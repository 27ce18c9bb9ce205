// What the engine runs of the formats, which options and pages offer, and what their tensors take.

import { expect, test } from "vitest";
import { blockShapes, kvDtypes, plainBytes, roundedBytes, weightDtypes } from "../../src/model/formats.ts";

test("the engine keeps keys and values in two formats, weights in three", () => {
  expect(kvDtypes).toEqual(["float32", "int8"]);
  expect(weightDtypes).toEqual(["float32", "int8", "int4", "w8a8"]);
});

test("a matrix of 33 inputs is rounded in two blocks a row, half the bytes in 4 bits", () => {
  expect(blockShapes([3, 33], "int8")).toEqual({ codes: [3, 2, 32], scales: [3, 2] });
  expect(blockShapes([3, 33], "int4")).toEqual({ codes: [3, 2, 16], scales: [3, 2] });
  expect([roundedBytes([3, 33], "int8"), roundedBytes([3, 33], "int4")]).toEqual([6 * 36, 6 * 20]);
});

test("what is not rounded has float32's bytes in a rounded model, its format's own elsewhere", () => {
  expect((["float32", "float16", "int8", "int4"] as const).map((format) => plainBytes([5], format))).toEqual([
    20, 10, 20, 20,
  ]);
});
