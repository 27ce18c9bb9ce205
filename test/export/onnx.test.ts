// Exported ONNX folders in plain sessions of other programs, each in a process of its own: our logits, in pieces, our greedy
// text, and a past of owners alone. onnxruntime-node and its WebAssembly always, Python's where it is there.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { exportOnnx } from "../../src/export/export-onnx.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { causalStore } from "../../src/model/causal-store.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { keptWeights } from "../../src/model/quantized-weights.ts";
import { owners } from "../../src/model/sharing.ts";
import { logits, transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import { FullForward } from "../engine/full-forward.ts";
import { output, scratch } from "../files/scratch.ts";
import { lively } from "../model/tiny.ts";
import { compile, cpu1 } from "../runtime/program.ts";
import { type Kind, kindConfig, sharedKinds, unsharedKinds, writeRun } from "./runs.ts";

const require = createRequire(import.meta.url);

/** Where a package is imported from. */
const resolved = (name: string) => pathToFileURL(require.resolve(name)).href;

const python = process.env.CROSSLAYER_PYTHON ?? "python3";
const hasPython = spawnSync(python, ["-c", "import onnxruntime, numpy"]).status === 0;
const script = (name: string) => join(import.meta.dirname, name);
type Program = readonly [name: string, command: string, args: readonly string[]];
const programs: readonly Program[] = [
  ["onnxruntime-node", process.execPath, [script("plain-session.mjs"), resolved("onnxruntime-node")]],
  ["onnxruntime-web", process.execPath, [script("plain-session.mjs"), resolved("onnxruntime-web")]],
  ...(hasPython ? ([["onnxruntime for Python", python, [script("plain_session.py")]]] as const) : []),
];
if (!hasPython) console.log(`onnxruntime for Python: ${python} has none; its sessions are skipped`);

const kinds: Readonly<Record<string, Kind>> = {
  "cla2-mqa": sharedKinds["cla2-mqa"]!,
  crossed: sharedKinds.crossed!,
  "one-owner": sharedKinds["one-owner"]!,
  "norms-after": sharedKinds["norms-after"]!,
  "no-rope": sharedKinds["no-rope"]!,
  "part-turns": sharedKinds["part-turns"]!,
  biases: unsharedKinds.biases!,
  qwen3: unsharedKinds.qwen3!,
};

const tokens = Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 300);
const pieces = [7, 1, 9, 1, 1, 5];

interface Found {
  readonly logits: number[];
  readonly written: number[];
  readonly bytes: number;
  readonly kept: number;
  readonly length: number;
}

/** What a program makes of models, which may have data beside them. */
async function sessions(
  [, command, args]: Program,
  models: readonly string[],
  { count, pieces }: { count: number; pieces: readonly number[] },
): Promise<Found[]> {
  const external = (model: string) => (existsSync(`${model}_data`) ? [`${model}_data`] : []);
  const jobs = models.map((model) => ({ model, external: external(model), tokens, pieces, count }));
  const file = join(scratch(), "jobs.json");
  writeFileSync(file, JSON.stringify(jobs));
  const { code, text } = await output(command, [...args, file]);
  expect(code, text).toBe(0);
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

const farthest = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] as number))));

describe.each(programs)("%s", (...program) => {
  test("computes what we do, whatever is shared", async () => {
    const folder = scratch();
    const models: string[] = [];
    for (const [name, kind] of Object.entries(kinds)) {
      const run = await writeRun(join(folder, `${name}-run`), kindConfig(kind));
      const { file, slots } = await exportOnnx(run, join(folder, name));
      expect(slots).toBe(owners(run.config.model.sharing).length);
      models.push(join(folder, name, file));
    }
    const found = await sessions(program, models, { count: 12, pieces });
    for (const [i, [name, kind]] of Object.entries(kinds).entries()) {
      const config = kindConfig(kind);
      const { logits, written, kept, bytes, length } = found[i] as Found;
      using full = await FullForward.create(config, lively(config, 3), { length: 40 });
      const expected = ((await full.run(tokens)).logits as Float32Array[]).flatMap((row) => [...row]);
      expect(logits.length).toBe(expected.length);
      expect(farthest(expected, logits), name).toBeLessThan(1e-4);
      expect(written, name).toEqual((await full.greedy(tokens, 12)).tokens);
      expect(kept).toBe(2 * owners(config.sharing).length);
      expect(bytes).toBe(kvBytesPerToken(config, "float32") * length);
    }
  });

  test("reads data that lies beside the model", async () => {
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), { ...kindConfig(sharedKinds.cla2!), vocab: 9000 });
    const { file } = await exportOnnx(run, join(folder, "in"));
    await exportOnnx(run, join(folder, "out"), { fileBytes: 1.2e6 });
    const [inside, outside] = await sessions(program, [join(folder, "in", file), join(folder, "out", file)], {
      count: 3,
      pieces,
    });
    expect(outside).toEqual(inside);
  });

  // What is multiplied is rounded to 8 bits as it comes, and a last bit may tip it to the next step. WebAssembly's kernels
  // round otherwise, and are farther off.
  test.skipIf(program[0] === "onnxruntime-web")("computes with rounded matrices as our engine does", async () => {
    const folder = scratch();
    const config = kindConfig(sharedKinds.cla2!);
    const run = await writeRun(join(folder, "run"), config);
    const models: string[] = [];
    for (const dtype of ["int8", "int4"] as const) {
      const { file } = await exportOnnx(run, join(folder, dtype), { dtype });
      models.push(join(folder, dtype, file));
    }
    const found = await sessions(program, models, { count: 0, pieces: [tokens.length] });
    for (const [i, dtype] of (["int8", "int4"] as const).entries()) {
      const weights = lively(config, 3);
      const graph = trace(() => {
        const read = weightsOf(weightInputs(config, dtype));
        const store = causalStore(config, { batch: 1, length: tokens.length });
        return {
          logits: logits(config, read, transformer(config, read, input("tokens", "int32", [tokens.length]), store)),
        };
      });
      using program = await compile(graph, { device: cpu1, constants: keptWeights(config, weights, dtype) });
      const ids = { dtype: "int32", shape: [tokens.length], data: Int32Array.from(tokens) } as const;
      const expected = [...((await program.run({ tokens: ids })).logits!.data as Float32Array)];
      expect(farthest(expected, (found[i] as Found).logits), dtype).toBeLessThan(0.15);
    }
  });
});

test("data beside the model lies in files that are not too large, and is told to transformers.js", async () => {
  const folder = scratch();
  const config = { ...kindConfig(sharedKinds.cla2!), vocab: 9000, tiedEmbeddings: false }; // two tables of 1.1 MiB
  const run = await writeRun(join(folder, "run"), config);
  const { bytes } = await exportOnnx(run, join(folder, "out"), { fileBytes: 1.2e6 });
  const onnx = join(folder, "out", "onnx");
  const sizes = Object.fromEntries(readdirSync(onnx).map((name) => [name, statSync(join(onnx, name)).size]));
  const table = 9000 * 32 * 4;
  expect(sizes).toMatchObject({ "model.onnx_data": table, "model.onnx_data_1": table });
  expect(Object.values(sizes).reduce((sum, size) => sum + size, 0)).toBe(bytes);
  const told = JSON.parse(readFileSync(join(folder, "out", "config.json"), "utf8"));
  expect(told["transformers.js_config"]).toEqual({ use_external_data_format: { "model.onnx": 2 } });
});
