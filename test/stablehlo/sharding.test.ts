// How tensors lie on several devices, in the text of a module.

import { describe, expect, test } from "vitest";
import { cast, causalAttention, matmul } from "../../src/graph/ops.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { type StableHloOptions, toStableHlo } from "../../src/stablehlo/module.ts";

const product = (options: StableHloOptions) => {
  const graph = trace(() => {
    const [x, w] = [input("x", "float32", [4, 6]), input("w", "float32", [8, 6])];
    return { y: matmul(x, w, { transB: true }), w };
  });
  return toStableHlo(graph, options).text;
};

const mesh = { axes: { data: 2, model: 2 } };

test("the mesh is the module's, shardings are the arguments' and results'", () => {
  const shardings = { x: [["data"], []], w: [["model"], []], y: [["data"], ["model"]] };
  expect(product({ mesh, shardings })).toMatchInlineSnapshot(`
    "module @crosslayer attributes {mhlo.num_partitions = 4 : i32, mhlo.num_replicas = 1 : i32} {
      sdy.mesh @mesh = <["data"=2, "model"=2]>
      func.func public @main(%x: tensor<4x6xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}]>}, %w: tensor<8x6xf32> {tf.aliasing_output = 1 : i32, sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>}) -> (tensor<4x8xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {"model"}]>}, tensor<8x6xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"model"}, {}]>}) {
        %0 = stablehlo.dot_general %x, %w, contracting_dims = [1] x [1] : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
        return %0, %w : tensor<4x8xf32>, tensor<8x6xf32>
      }
    }
    "
  `);
});

test("a dimension may be split over several axes", () => {
  expect(product({ mesh, shardings: { w: [["data", "model"], []] } })).toContain(`[{"data", "model"}, {}]`);
});

describe("refuses", () => {
  test.each<[string, StableHloOptions]>([
    ["an axis that the mesh has not", { mesh, shardings: { x: [["rows"], []] } }],
    ["other dimensions than the tensor's", { mesh, shardings: { x: [["data"]] } }],
    ["what does not divide", { mesh: { axes: { data: 3 } }, shardings: { x: [["data"], []] } }],
    ["a sharding without a mesh", { shardings: { x: [["data"], []] } }],
  ])("%s", (_, options) => expect(() => product(options)).toThrow("stablehlo: x cannot lie as <@mesh, ["));
});

describe("cuDNN's call on a mesh", () => {
  const attention = (batch: number) => {
    const graph = trace(() => {
      const heads = (name: string, count: number) => cast(input(name, "float32", [batch, 8, count, 16]), "bfloat16");
      return { y: causalAttention(heads("q", 2), heads("k", 1), heads("v", 1), 0.25) };
    });
    return toStableHlo(graph, { attention: "cudnn", mesh: { axes: { data: 2 }, batch: "data" } }).text;
  };

  test("runs on each device's part of the batch", () => {
    const text = attention(4).replace(/backend_config = "[^"]*"/, "backend_config = …");
    expect(text.slice(text.indexOf("%3:3 ="))).toMatchInlineSnapshot(`
      "%3:3 = sdy.manual_computation(%0, %1, %2) in_shardings=[<@mesh, [{"data"}, {}, {}, {}]>, <@mesh, [{"data"}, {}, {}, {}]>, <@mesh, [{"data"}, {}, {}, {}]>] out_shardings=[<@mesh, [{"data"}, {}, {}, {}]>, <@mesh, [{"data"}, {}, {}]>, <@mesh, [{}]>] manual_axes={"data"} (%.part0: tensor<2x8x2x16xbf16>, %.part1: tensor<2x8x1x16xbf16>, %.part2: tensor<2x8x1x16xbf16>) {
            %.own:3 = stablehlo.custom_call @__cudnn$fmhaSoftmax(%.part0, %.part1, %.part2) {api_version = 2 : i32, backend_config = …, operand_layouts = [dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>, dense<[3, 2, 1, 0]> : tensor<4xindex>], result_layouts = [dense<[3, 1, 2, 0]> : tensor<4xindex>, dense<[2, 1, 0]> : tensor<3xindex>, dense<0> : tensor<1xindex>]} : (tensor<2x8x2x16xbf16>, tensor<2x8x1x16xbf16>, tensor<2x8x1x16xbf16>) -> (tensor<2x2x8x16xbf16>, tensor<2x2x8xf32>, tensor<0xui8>)
            sdy.return %.own#0, %.own#1, %.own#2 : tensor<2x2x8x16xbf16>, tensor<2x2x8xf32>, tensor<0xui8>
          } : (tensor<4x8x2x16xbf16>, tensor<4x8x1x16xbf16>, tensor<4x8x1x16xbf16>) -> (tensor<4x2x8x16xbf16>, tensor<4x2x8xf32>, tensor<0xui8>)
          %4 = stablehlo.transpose %3#0, dims = [0, 2, 1, 3] : (tensor<4x2x8x16xbf16>) -> tensor<4x8x2x16xbf16>
          return %4 : tensor<4x8x2x16xbf16>
        }
      }
      "
    `);
  });

  test("needs a batch that divides", () => {
    expect(() => attention(3)).toThrow("stablehlo: a batch of 3 does not divide over 2 devices");
  });
});
