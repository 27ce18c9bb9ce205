// The arithmetic of named dimensions.

import { describe, expect, test } from "vitest";
import { resolve, sameDim, times } from "../../src/graph/dim.ts";
import { reshape } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import type { Shape } from "../../src/graph/value.ts";

describe("a product of dimensions", () => {
  test.each([
    [times(), "1"],
    [times(2, 3), "6"],
    [times("T", 1), "T"],
    [times("T", 4), "T·4"],
    [times(4, "T"), "T·4"],
    [times(times("T", 2), 3), "T·6"],
    [times("B", times("M", 2)), "B·M·2"],
    [times("T", 0), "0"],
  ])("%#: prints as %s", (dim, text) => expect(String(dim)).toBe(text));

  test("is plain where it is only a number or a name", () => {
    expect(times(2, 3)).toBe(6);
    expect(times("T", 1)).toBe("T");
  });

  test("equals another by its factor and names, in any order", () => {
    expect(sameDim(times("B", "M", 2), times(2, "M", "B"))).toBe(true);
    expect(sameDim(times("B", "B"), "B")).toBe(false);
    expect(sameDim(times("B", 2), times("B", 3))).toBe(false);
    expect(sameDim(times("B", 2), times("M", 2))).toBe(false);
    expect(sameDim(times("B", 2), 2)).toBe(false);
  });

  test("is a number once its names are", () => {
    expect(resolve(times("B", "M", 2), { B: 3, M: 5 })).toBe(30);
    expect(resolve(7, {})).toBe(7);
    expect(() => resolve(times("B", "M"), { B: 3 })).toThrow("size M of dimension B·M is not given");
  });
});

describe("reshape of named dimensions", () => {
  const reshaped = (from: Shape, to: Shape) => trace(() => ({ y: reshape(input("x", "float32", from), to) }));

  test("takes the same product", () => {
    expect(reshaped(["B", "M", 6], [times("M", "B", 2), 3]).nodes.length).toBe(2);
  });

  test("refuses other names", () => {
    expect(() => reshaped(["B", 6], ["M", 6])).toThrow("has B·6 elements, [M, 6] M·6");
    expect(() => reshaped(["B", "M"], ["B"])).toThrow("has B·M elements, [B] B");
  });
});
