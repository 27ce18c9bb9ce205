// A plain number as one side of a binary operation.

import { expect, test } from "vitest";
import { mul, sub } from "../../src/graph/ops.ts";
import { float, type Graph, input, trace } from "../../src/graph/trace.ts";
import type { Node } from "../../src/graph/value.ts";
import type { DType } from "../../src/tensor/dtype.ts";

const x = (dtype: DType) => input("x", dtype, [3]);

/** Each node with what it reads, by the text of its types and constants; in no order of making. */
function operations({ nodes }: Graph): string[] {
  const name = (node: Node): string =>
    node.op === "constant"
      ? String(node.attributes.tensor.data)
      : `${node.op}(${node.inputs.map((read) => name(read.node))})`;
  return nodes.map(name).sort();
}

test("stands for a scalar constant on either side", () => {
  const plain = trace(() => ({ y: mul(sub(1, x("float32")), 0.5) }));
  const written = trace(() => ({ y: mul(sub(float(1), x("float32")), float(0.5)) }));
  expect(operations(plain)).toEqual(operations(written));
});

test("is rounded to the other side's float dtype", () => {
  const { nodes } = trace(() => ({ y: sub(1 + 2 ** -9, x("bfloat16")) }));
  const [one] = nodes.flatMap((node) => (node.op === "constant" ? [node.attributes.tensor] : []));
  expect(one).toEqual({ dtype: "bfloat16", shape: [], data: Uint16Array.of(0x3f80) });
});

test("is refused beside whole numbers", () => {
  const build = () => trace(() => ({ y: mul(x("int32"), 0.5) }));
  expect(build).toThrow("mul: the number 0.5 stands beside int32; only floats take plain numbers");
});
