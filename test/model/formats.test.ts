// What the engine runs of the formats, which options and pages offer, and what their tensors take.

import { expect, test } from "vitest";
import { kvDtypes, plainBytes, roundedBytes, roundedShapes, weightDtypes } from "../../src/model/formats.ts";

test("the engine keeps keys and values in two formats, weights in three", () => {
  expect(kvDtypes).toEqual(["float32", "int8"]);
  expect(weightDtypes).toEqual(["float32", "int8", "int4"]);
});

test("a matrix of 33 inputs is rounded in two blocks a row, half the bytes in 4 bits", () => {
  expect(roundedShapes([3, 33], "int8")).toEqual({ codes: [3, 2, 32], scales: [3, 2] });
  expect(roundedShapes([3, 33], "int4")).toEqual({ codes: [3, 2, 16], scales: [3, 2] });
  expect([roundedBytes([3, 33], "int8"), roundedBytes([3, 33], "int4")]).toEqual([6 * 36, 6 * 20]);
});

test("8 bits of long rows are kept in blocks of 128, 4 bits in blocks of 32", () => {
  expect(roundedShapes([3, 511], "int8")).toEqual({ codes: [3, 16, 32], scales: [3, 16] });
  expect(roundedShapes([3, 512], "int8")).toEqual({ codes: [3, 4, 128], scales: [3, 4] });
  expect(roundedShapes([3, 513], "int8")).toEqual({ codes: [3, 5, 128], scales: [3, 5] });
  expect(roundedShapes([3, 512], "int4")).toEqual({ codes: [3, 16, 16], scales: [3, 16] });
});

test("what is not rounded has float32's bytes in a rounded model, its format's own elsewhere", () => {
  expect((["float32", "float16", "int8", "int4"] as const).map((format) => plainBytes([5], format))).toEqual([
    20, 10, 20, 20,
  ]);
});
