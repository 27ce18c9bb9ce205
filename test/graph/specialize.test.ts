// A graph specialised to sizes is the graph traced with them.

import { describe, expect, test } from "vitest";
import { type Dim, times } from "../../src/graph/dim.ts";
import { add, concat, exp, expand, reshape } from "../../src/graph/ops.ts";
import { print } from "../../src/graph/print.ts";
import { specialize } from "../../src/graph/specialize.ts";
import { float, input, scope, trace } from "../../src/graph/trace.ts";

function graphOf(rows: Dim, columns: Dim, more: Dim, total?: Dim) {
  return trace(() => {
    const x = scope("layers.0", () => exp(input("x", "float32", [rows, columns, 6])));
    const flat = reshape(x, [times(rows, columns, 2), 3]);
    const all = concat([flat, input("y", "float32", [more, 3])], 0, total);
    const joined = total === undefined ? (all.shape[0] as Dim) : total;
    return { z: add(reshape(all, [times(joined, 3)]), float(1)), w: expand(float([1]), [columns]) };
  });
}

describe("specialize", () => {
  const named = graphOf("B", "M", "E", "rows");

  test("gives the graph traced with numbers, scopes included", () => {
    const [found, expected] = [specialize(named, { B: 2, M: 5, E: 7 }), graphOf(2, 5, 7)];
    expect(print(found)).toBe(print(expected));
    expect(found.nodes.map((node) => node.scope)).toEqual(expected.nodes.map((node) => node.scope));
  });

  test("leaves the graph it was given as it is", () => {
    const before = print(named);
    specialize(named, { B: 1, M: 1, E: 1 });
    expect(print(named)).toBe(before);
  });

  test("names a missing size", () => {
    expect(() => specialize(named, { B: 2, E: 7 })).toThrow("size M of dimension M is not given");
  });
});
