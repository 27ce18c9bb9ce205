// Attention as text: cuDNN's call where it is asked for and applies, products of blocks elsewhere.

import { expect, test } from "vitest";
import { gradient } from "../../src/autodiff/gradient.ts";
import { cast, causalAttention, mul, sum } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import { toStableHlo } from "../../src/stablehlo/module.ts";
import type { DType } from "../../src/tensor/dtype.ts";

function text(width: number, dtype: DType, attention: "cudnn" | "blocks", length = 8, cudnnHead?: number): string {
  const graph = trace(() => {
    const rows = (name: string, heads: number) => input(name, "float32", [2, length, heads, width]);
    const [q, k, v] = [rows("q", 4), rows("k", 2), rows("v", 2)];
    const [a, b, c] = [q, k, v].map((x) => cast(x, dtype)) as [Value, Value, Value];
    const out = cast(causalAttention(a, b, c, 0.25), "float32");
    const [dq, dk, dv] = gradient(sum(mul(out, out), [0, 1, 2, 3]), [q, k, v]) as [Value, Value, Value];
    return { dq, dk, dv };
  });
  return toStableHlo(graph, { attention, cudnnHead }).text;
}

const calls = (module: string) => [...module.matchAll(/custom_call @([\w$]+)/g)].map(([, name]) => name);
const signatures = (module: string) =>
  [...module.matchAll(/custom_call .* : (\(.*?\) -> \(.*?\))$/gm)].map(([, types]) => types);

test("cuDNN computes bfloat16 heads, forward and backward, without repeating keys and values", () => {
  const module = text(64, "bfloat16", "cudnn");
  expect(calls(module)).toEqual(["__cudnn$fmhaSoftmax", "__cudnn$fmhaSoftmaxBackward"]);
  expect(signatures(module)).toMatchInlineSnapshot(`
    [
      "(tensor<2x8x4x64xbf16>, tensor<2x8x2x64xbf16>, tensor<2x8x2x64xbf16>) -> (tensor<2x4x8x64xbf16>, tensor<2x4x8xf32>, tensor<0xui8>)",
      "(tensor<2x8x4x64xbf16>, tensor<2x8x2x64xbf16>, tensor<2x8x2x64xbf16>, tensor<2x4x8xf32>, tensor<2x8x4x64xbf16>, tensor<2x8x4x64xbf16>) -> (tensor<2x4x8x64xbf16>, tensor<2x2x8x64xbf16>, tensor<2x2x8x64xbf16>, tensor<0xui8>)",
    ]
  `);
});

test("its configuration is JSON of the scale and the scores' sizes", () => {
  const module = text(64, "bfloat16", "cudnn");
  const [forward, backward] = [...module.matchAll(/backend_config = "([^"]*)"/g)].map(
    ([, config]) => JSON.parse((config as string).replaceAll("\\22", '"')).cudnn_fmha_backend_config,
  );
  for (const config of [forward, backward]) {
    expect(config).toMatchObject({ fmha_scale: 0.25, mask_type: "CAUSAL", is_flash_attention: true, dropout_rate: 0 });
    expect(config.intermediate_tensor_shape.dimensions).toEqual(["2", "4", "8", "8"]);
  }
  expect(Object.keys(forward).filter((key) => key.endsWith("numbers"))).toHaveLength(2);
  expect(Object.keys(backward).filter((key) => key.endsWith("numbers"))).toHaveLength(4);
});

test("odd heads are filled up with zeros for it, and cut again", () => {
  const module = text(46, "bfloat16", "cudnn");
  expect(signatures(module)[0]).toContain("(tensor<2x8x4x48xbf16>, tensor<2x8x2x48xbf16>, tensor<2x8x2x48xbf16>)");
  expect(module.match(/stablehlo\.pad .* -> tensor<2x8x4x48xbf16>/g)).toHaveLength(3); // queries, output, its gradient
  expect(module.match(/stablehlo\.slice .* -> tensor<2x8x4x46xbf16>/g)).toHaveLength(2); // output, queries' gradient
});

test("wider heads, too, on cards that are said to take them", () => {
  expect(calls(text(136, "bfloat16", "cudnn", 8, 256))).toHaveLength(2);
  expect(calls(text(264, "bfloat16", "cudnn", 8, 256))).toEqual([]);
});

test.each<[string, number, DType, "cudnn" | "blocks"]>([
  ["float32", 64, "float32", "cudnn"],
  ["heads that are too wide for it", 136, "bfloat16", "cudnn"],
  ["where it is not asked for", 64, "bfloat16", "blocks"],
])("blocks compute %s", (_, width, dtype, attention) => {
  expect(calls(text(width, dtype, attention))).toEqual([]);
});

test("scores of blocks are computed again for the gradient, not kept", () => {
  const module = text(16, "bfloat16", "blocks", 300);
  expect(module.match(/dot_general .* -> tensor<2x2x44x2x300xf32>/g)).toHaveLength(3); // scores twice, dweights
  expect(module.match(/optimization_barrier/g)).toHaveLength(1);
});

test("blocks multiply bfloat16 into float32 scores, and no block looks at keys behind its end", () => {
  const module = text(16, "bfloat16", "blocks", 300);
  const products = [...module.matchAll(/dot_general .* : (\(.*\) -> .*)/g)].map(([, types]) => types);
  expect(products.slice(0, 4)).toMatchInlineSnapshot(`
    [
      "(tensor<2x256x2x2x16xbf16>, tensor<2x256x2x16xbf16>) -> tensor<2x2x256x2x256xf32>",
      "(tensor<2x2x256x2x256xbf16>, tensor<2x256x2x16xbf16>) -> tensor<2x2x256x2x16xf32>",
      "(tensor<2x44x2x2x16xbf16>, tensor<2x300x2x16xbf16>) -> tensor<2x2x44x2x300xf32>",
      "(tensor<2x2x44x2x300xbf16>, tensor<2x300x2x16xbf16>) -> tensor<2x2x44x2x16xf32>",
    ]
  `);
});
