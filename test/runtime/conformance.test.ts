// Every device computes every operation as the float64 interpreter does, and keeps the contract of `Device`.

import { afterAll, describe, expect, test } from "vitest";
import { add, mul, neg } from "../../src/graph/ops.ts";
import { float, input, trace } from "../../src/graph/trace.ts";
import { putAll } from "../../src/runtime/device.ts";
import { scalar } from "../../src/tensor/tensor.ts";
import { expectClose } from "../graph/close.ts";
import { bfloat16Cases, bfloat16Tolerance, cases, runCase, tolerance, wholeBytes } from "./conformance-cases.ts";
import { devices } from "./devices.ts";
import { compile } from "./program.ts";

describe.each(await devices())("$name", (device) => {
  afterAll(() => device[Symbol.asyncDispose]());
  const { attention, exactIntegerSums } = device.traits;
  const uses = Object.entries(cases)
    .filter(([op]) => attention === "fused" || !op.startsWith("causalAttention"))
    .flatMap(([op, all]) => Object.entries(all).map(([use, build]) => ({ op, use, build })))
    .filter(({ use }) => exactIntegerSums || !use.startsWith(wholeBytes));

  test.each(uses)("$op: $use", async ({ build }) => {
    const { graph, found, expected } = await runCase(device, build);
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    for (const [name, numbers] of Object.entries(expected)) {
      expect(found[name]?.dtype).toBe(graph.outputs[name]?.dtype);
      expectClose(found[name], numbers, tolerance);
    }
  });

  const narrow = attention === "fused" ? Object.entries(bfloat16Cases) : [];
  test.each(narrow)("bfloat16: %s", async (_, build) => {
    const { found, expected } = await runCase(device, build);
    for (const [name, numbers] of Object.entries(expected)) expectClose(found[name], numbers, bfloat16Tolerance);
  });

  test("an output takes the place of an input that has its name and type, and of no other", async () => {
    const graph = trace(() => {
      const x = input("x", "float32", [2]);
      return { x: add(x, input("s", "float32", [])), s: mul(x, float(2)) };
    });
    using program = await device.compile(graph);
    const buffers = putAll(device, { x: { dtype: "float32", shape: [2], data: Float32Array.of(1, 2) }, s: scalar(10) });
    const first = await program.run(buffers);
    expect([...((await first.x?.read())?.data ?? [])]).toEqual([11, 12]);
    expect([...((await first.s?.read())?.data ?? [])]).toEqual([2, 4]);
    expect([...((await buffers.s?.read())?.data ?? [])]).toEqual([10]);
    const second = await program.run({ ...first, s: buffers.s as never });
    expect([...((await second.x?.read())?.data ?? [])]).toEqual([21, 22]);
  });

  test("clears", async () => {
    const given = putAll(device, {
      a: { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      b: scalar(5),
    });
    const cleared = await device.clear(given);
    expect([...((await cleared.a?.read())?.data ?? [])]).toEqual([0, 0, 0, 0]);
    expect(await cleared.b?.read()).toMatchObject({ shape: [], data: Float32Array.of(0) });
  });

  test("constants are given once", async () => {
    const graph = trace(() => ({ y: add(input("x", "float32", [2]), input("c", "float32", [2])) }));
    using program = await compile(graph, {
      device,
      constants: { c: { dtype: "float32", shape: [2], data: Float32Array.of(10, 20) } },
    });
    for (const x of [1, 2]) {
      const { y } = await program.run({ x: { dtype: "float32", shape: [2], data: Float32Array.of(x, x) } });
      expect([...(y?.data ?? [])]).toEqual([10 + x, 20 + x]);
    }
  });

  test("names an input that is missing", async () => {
    using program = await compile(
      trace(() => ({ y: neg(input("x", "float32", [2])) })),
      { device },
    );
    await expect(program.run({})).rejects.toThrow("run: no tensor for input x");
  });
});
