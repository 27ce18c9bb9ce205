// The C API by small modules of our own: donation, errors, executables kept and loaded, several devices, and what a plugin
// that is none is told.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkVersion, PjrtApi } from "../../src/runtime/pjrt/api.ts";
import { PjrtBuffer, PjrtClient, type PjrtDevice } from "../../src/runtime/pjrt/client.ts";
import { compileOptions } from "../../src/runtime/pjrt/compile-options.ts";
import { ExecutableCache } from "../../src/runtime/pjrt/executable-cache.ts";
import { clientOptions, findPlugin, pluginVariable } from "../../src/runtime/pjrt/plugins.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { scratch } from "../files/scratch.ts";
import { hasPlugin } from "./devices.ts";

const [two, three] = [Float32Array.of(1, 2), Float32Array.of(10, 20)];
const vector = (data: Float32Array): Tensor => ({ dtype: "float32", shape: [data.length], data });

/** a + b over a's own memory. */
const adding = `module @m attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%a: tensor<2xf32> {tf.aliasing_output = 0 : i32}, %b: tensor<2xf32>) -> tensor<2xf32> {
    %0 = stablehlo.add %a, %b : tensor<2xf32>
    return %0 : tensor<2xf32>
  }
}`;

/** The sum of x, whose halves lie on two devices. */
const summing = `module @m attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
  sdy.mesh @mesh = <["data"=2]>
  func.func public @main(%x: tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}]>}) -> (tensor<f32> {sdy.sharding = #sdy.sharding<@mesh, []>}) {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %s = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    return %s : tensor<f32>
  }
}`;

describe("what needs no plugin", () => {
  it("takes as much of a CUDA card as JAX's variables say", () => {
    const [cuda, other] = [{ path: "/x/jax_plugins/xla_cuda13/xla_cuda_plugin.so" }, { path: "/x/cpu.so" }];
    const shared = { XLA_PYTHON_CLIENT_PREALLOCATE: "false", XLA_PYTHON_CLIENT_MEM_FRACTION: ".4" };
    expect(clientOptions(cuda, {})).toEqual({});
    expect(clientOptions(cuda, shared)).toEqual({ preallocate: false, memory_fraction: 0.4 });
    expect(clientOptions(other, shared)).toEqual({});
    expect(() => clientOptions(cuda, { XLA_PYTHON_CLIENT_MEM_FRACTION: "1.5" })).toThrow(
      /between 0 and 1, found "1.5"/,
    );
  });

  it("refuses another major version", () => {
    expect(() => checkVersion("x.so", 1, 2)).toThrow("x.so: its PJRT API has version 1.2; crosslayer knows 0.x");
    expect(() => checkVersion("x.so", 0, 200)).not.toThrow();
  });

  it("writes XLA's options for one device and for two", () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    expect(hex(compileOptions())).toBe("1a0f200128014a09080110011a030a0100");
    expect(hex(compileOptions({ devices: [0, 1] }))).toContain("080110021a030a01001a030a0101");
  });

  it("says what to do where there is no file, or one that is no plugin", async () => {
    await expect(PjrtApi.load("/nowhere/plugin.so")).rejects.toThrow("xla: no plugin at /nowhere/plugin.so");
    const path = join(scratch(), "plugin.so");
    writeFileSync(path, "no library");
    await expect(PjrtApi.load(path)).rejects.toThrow(/xla: .*plugin.so is no PJRT plugin/);
  });

  it("says how a plugin would come", () => {
    expect(findPlugin("tpu")).toMatchObject({ name: "tpu", advice: expect.stringContaining("pip install libtpu") });
  });
});

describe.skipIf(!hasPlugin)("a plugin", async () => {
  const client = hasPlugin ? await PjrtClient.open(process.env[pluginVariable] as string) : (undefined as never);
  afterAll(() => client?.[Symbol.dispose]());
  const first = () => client.devices[0] as PjrtDevice;

  it("adds, over the memory of what it is given", async () => {
    using sum = await client.compile(adding);
    const [a, b] = [client.upload(vector(two), first()), client.upload(vector(three), first())];
    const [[made]] = sum.execute([[a, b]]) as [[bigint]];
    using out = new PjrtBuffer(client, made, "float32", [2]);
    expect([...((await out.download()).data as Float32Array)]).toEqual([11, 22]);
    expect(() => sum.execute([[a, b]])).toThrow(/\[3\].*deleted or donated/s);
    a[Symbol.dispose]();
    expect(() => sum.execute([[a, b]])).toThrow("buffer: used after it was given up or disposed of");
    expect(sum.memory).toMatchObject({ arguments: 16, aliased: 8 });
  });

  it("reads hundreds of buffers at once", async () => {
    const buffers = Array.from({ length: 400 }, (_, i) => client.upload(vector(Float32Array.of(i)), first()));
    const read = await Promise.all(buffers.map((buffer) => buffer.download()));
    expect(read.map(({ data }) => data[0])).toEqual(buffers.map((_, i) => i));
    for (const buffer of buffers) buffer[Symbol.dispose]();
  });

  it("names the line of text that is wrong", async () => {
    await expect(client.compile(adding.replace("stablehlo.add", "stablehlo.ad"))).rejects.toThrow(
      /Client_Compile: \[2\] .*:3:10: error: .*stablehlo.ad/s,
    );
  });

  it("lets the event loop live while it compiles", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const lines = Array.from({ length: 1500 }, (_, i) => `    %${i + 1} = stablehlo.sine %${i} : tensor<2xf32>`);
    const long = `func.func public @main(%0: tensor<2xf32>) -> tensor<2xf32> {\n${lines.join("\n")}\n    return %1500 : tensor<2xf32>\n}`;
    const attributes = "mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32";
    using _ = await client.compile(`module @m attributes {${attributes}} {\n${long}\n}`);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });

  it("keeps executables on disk, and makes again what is damaged there", async () => {
    const folder = join(scratch(), "cache");
    const cache = new ExecutableCache("test", folder);
    const sumBy = async () => {
      const { executable, digest } = await cache.executable(client, adding);
      using sum = executable;
      expect(digest).toMatch(/^[0-9a-f]{16}$/);
      const [[made]] = sum.execute([[client.upload(vector(two), first()), client.upload(vector(three), first())]]) as [
        [bigint],
      ];
      using out = new PjrtBuffer(client, made, "float32", [2]);
      return [...((await out.download()).data as Float32Array)];
    };
    expect(await sumBy()).toEqual([11, 22]);
    const [name] = readdirSync(folder) as [string];
    expect(name).toBe(cache.key(adding));
    const whole = readFileSync(join(folder, name));
    expect(await sumBy()).toEqual([11, 22]);
    for (const damaged of [whole.subarray(0, 100), Buffer.from("nonsense"), Buffer.alloc(0)]) {
      writeFileSync(join(folder, name), damaged);
      expect(await sumBy()).toEqual([11, 22]);
      expect(readFileSync(join(folder, name)).length).toBe(whole.length);
    }
    expect(new ExecutableCache("another plugin", folder).key(adding)).not.toBe(name);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it("goes on where nothing can be kept", async () => {
    const folder = join(scratch(), "file");
    mkdirSync(folder);
    writeFileSync(join(folder, "xla"), "in the way");
    const { executable } = await new ExecutableCache("test", join(folder, "xla")).executable(client, adding);
    using sum = executable;
    expect(sum.memory.arguments).toBeGreaterThan(0);
  });

  it("runs a module on two devices, by Shardy", async () => {
    if (client.devices.length < 2) return;
    using sum = await client.compile(summing, { devices: [0, 1] });
    const halves = [vector(two), vector(three)].map((half, i) => [
      client.upload(half, client.devices[i] as PjrtDevice),
    ]);
    const made = sum.execute(halves);
    for (const [output] of made as [bigint][]) {
      using out = new PjrtBuffer(client, output, "float32", []);
      expect([...((await out.download()).data as Float32Array)]).toEqual([33]);
    }
  });
});
