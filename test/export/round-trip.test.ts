// What is exported is what was imported, bit by bit, and what is imported again computes what was exported.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { exportHuggingFace, exportLmEngine } from "../../src/export/export-checkpoint.ts";
import { type TargetName, targetNames, targets } from "../../src/export/targets.ts";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { FullForward } from "../engine/full-forward.ts";
import { scratch } from "../files/scratch.ts";
import { bytesOf, golden, goldenNames, writeFolder } from "../foreign/golden/golden.ts";
import { kindConfig, sharedKinds, unsharedKinds, writeRun } from "./runs.ts";

/** The tensors of a folder's safetensors, as type, shape and bytes. */
async function tensorsOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of readdirSync(folder).filter((name) => name.endsWith(".safetensors"))) {
    await using file = await openSafetensors(join(folder, name));
    for (const tensor of file.names) {
      const { stored, shape } = file.info(tensor);
      found.set(tensor, `${stored} [${shape}] ${Buffer.from(await file.bytes(tensor)).toString("base64")}`);
    }
  }
  return found;
}

async function imported(folder: string, out: string, context?: number): Promise<RunDirectory> {
  await using checkpoint = await openCheckpoint(folder);
  await importModel(checkpoint, out, { context });
  return RunDirectory.open(out);
}

const jsonOf = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));

/** The target that has a golden's architecture; models that share by other words than the authors' become our own. */
function targetOf(name: string): TargetName {
  const { config } = golden(name);
  const own: Record<string, TargetName> = { mistral: "llama", hunyuan_v1_dense: "hunyuan" };
  if (config.use_cla || name.startsWith("shared-")) return "crosslayer";
  return (
    targetNames.find((target) => target === name) ??
    own[config.model_type as string] ??
    (config.model_type as TargetName)
  );
}

const kept = goldenNames.filter((name) => targetOf(name) !== "crosslayer");

describe.each(kept)("%s", (name) => {
  test("imported and exported has the same tensors, and the model that was imported", async () => {
    const [folder, made] = [scratch(), golden(name)];
    writeFolder(folder, made);
    const run = await imported(folder, join(folder, "run"), made.context);
    const out = join(folder, "out");
    const { target, notes } = await exportHuggingFace(run, out, { target: targetOf(name) });
    expect(target).toBe(targetOf(name));
    expect(notes.filter((note) => note.includes("folded"))).toEqual([]);
    const expected = made.tensors.map(([, tensor, stored, shape]) => {
      const bytes = Buffer.from(bytesOf(tensor, stored, shape)).toString("base64");
      return [tensor, `${stored} [${shape}] ${bytes}`] as const;
    });
    const found = await tensorsOf(out);
    expect([...found.keys()].sort()).toEqual(expected.map(([tensor]) => tensor).sort());
    for (const [tensor, told] of expected) expect(found.get(tensor), tensor).toBe(told);
    expect(jsonOf(out, "tokenizer.json")).toEqual(jsonOf(folder, "tokenizer.json"));
    const again = await imported(out, join(folder, "again"));
    const told = (run: RunDirectory) => ({ ...run.config.model, initStd: 0 });
    expect(told(again)).toEqual(told(run));
  });
});

test("there is a golden of every architecture that is told, and of each of the authors' versions", () => {
  expect([...new Set(kept.map(targetOf))].sort()).toEqual(targetNames.filter((name) => name !== "crosslayer").sort());
});

describe.each(Object.entries({ ...unsharedKinds, ...sharedKinds }))("%s", (_, kind) => {
  test(`told as ${kind.target} and imported again computes the same`, async () => {
    const folder = scratch();
    const config = kindConfig(kind);
    const run = await writeRun(join(folder, "run"), config);
    const { target, notes } = await exportHuggingFace(run, join(folder, "out"));
    expect(target).toBe(kind.target);
    const again = await imported(join(folder, "out"), join(folder, "again"));
    const [before, after] = [await run.loadModel(), await again.loadModel()];
    if (target === "crosslayer") {
      expect(again.config.model).toEqual(config);
      expect(after.tensors).toEqual(before.tensors);
    }
    expect(notes.length > 0).toBe(target !== "crosslayer" && config.kvNorm === "own");
    const tokens = Array.from({ length: 20 }, (_, i) => (i * 37 + 5) % config.vocab);
    using full = await FullForward.create(config, before.tensors, { length: 20 });
    using other = await FullForward.create(again.config.model, after.tensors, { length: 20 });
    const rows = [await full.run(tokens), await other.run(tokens)].map(({ logits }) =>
      (logits as Float32Array[]).flatMap((row) => [...row]),
    );
    const worst = Math.max(...rows[0]!.map((x, i) => Math.abs(x - rows[1]![i]!)));
    expect(worst).toBeLessThan(target === "crosslayer" ? Number.MIN_VALUE : 5e-5);
  });
});

const years = targetNames.filter((name) => name.startsWith("crosslayer-"));
const authors = ["cla2", "cla2-mqa", "one-owner", "mha"] as const;

describe.each(years)("%s", (target) => {
  test.each(authors)("has all of %s, to the bit", async (name) => {
    const kind = { ...sharedKinds, ...unsharedKinds }[name]!;
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), kindConfig(kind));
    await exportHuggingFace(run, join(folder, "out"), { target });
    const again = await imported(join(folder, "out"), join(folder, "again"));
    const { tensors } = await run.loadModel();
    const found = (await again.loadModel()).tensors;
    for (const [parameter, tensor] of Object.entries(tensors)) expect(found[parameter], parameter).toEqual(tensor);
    const added = Object.keys(found).filter((parameter) => !(parameter in tensors));
    expect(added.every((parameter) => parameter.endsWith(".bias"))).toBe(true); // they have one flag for all biases
    for (const parameter of added) expect(Array.from(found[parameter]!.data, Number).every((x) => x === 0)).toBe(true);
    expect(again.config.model.sharing).toEqual(run.config.model.sharing);
  });
});

test("lm-engine's folder is imported again to the bit, and brings the YAML of a training", async () => {
  const folder = scratch();
  const run = await writeRun(join(folder, "run"), kindConfig(sharedKinds.cla2!));
  const out = join(folder, "out");
  await exportLmEngine(run, out);
  const again = await imported(out, join(folder, "again"));
  expect((await again.loadModel()).tensors).toEqual((await run.loadModel()).tensors);
  expect(jsonOf(out, "config.json")).toMatchObject({ use_depth_scaled_init: true, sharing_pattern: [0, 0, 2, 2] });
  const yaml = readFileSync(join(out, "pretrain.yml"), "utf8");
  expect(yaml).toContain("    sharing_pattern:\n      - 0\n      - 0\n      - 2\n      - 2\n");
  expect(readFileSync(join(out, "continue.yml"), "utf8")).toContain('model_args:\n  model_name: "."\n');
});

describe("weights", () => {
  test("are split where they are large, and said in an index", async () => {
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), kindConfig(sharedKinds.cla2!));
    await exportHuggingFace(run, join(folder, "one"));
    const { bytes } = await exportHuggingFace(run, join(folder, "many"), { shardBytes: 20_000 });
    const { metadata, weight_map } = jsonOf(folder, "many", "model.safetensors.index.json");
    expect(metadata.total_size).toBe(bytes);
    const files = new Set(Object.values(weight_map as Record<string, string>));
    expect(files.size).toBeGreaterThan(2);
    for (const file of files) expect(existsSync(join(folder, "many", file))).toBe(true);
    expect(await tensorsOf(join(folder, "many"))).toEqual(await tensorsOf(join(folder, "one")));
    const again = await imported(join(folder, "many"), join(folder, "again"));
    expect((await again.loadModel()).tensors).toEqual((await run.loadModel()).tensors);
  });

  test("are rounded where a type is asked", async () => {
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), kindConfig(sharedKinds.cla2!));
    const { tensors } = await run.loadModel();
    for (const [dtype, error] of [
      ["bfloat16", 2 ** -8],
      ["float16", 2 ** -11],
    ] as const) {
      await exportHuggingFace(run, join(folder, dtype), { dtype });
      expect(jsonOf(folder, dtype, "config.json").torch_dtype).toBe(dtype);
      const found = (await (await imported(join(folder, dtype), join(folder, `${dtype}-run`))).loadModel()).tensors;
      for (const [name, { data }] of Object.entries(tensors)) {
        const rounded = found[name]!.data;
        for (let i = 0; i < data.length; i++) {
          expect(Math.abs(Number(rounded[i]) - Number(data[i]))).toBeLessThanOrEqual(
            Math.abs(Number(data[i])) * error + 1e-7,
          );
        }
      }
    }
  });
});

describe("is refused, and nothing is left behind", () => {
  const cases: readonly (readonly [string, keyof typeof sharedKinds, TargetName, RegExp])[] = [
    [
      "sharing as Llama",
      "cla2",
      "llama",
      /cannot be told as llama: its layers share keys and values; it can as crosslayer/,
    ],
    ["crossed sharing as the authors'", "crossed", "crosslayer-2025", /layer 2 borrows from 0 after one that uses 1/],
    ["norms of heads as the authors'", "norms-before", "crosslayer-2026", /it norms each head's queries and keys/],
    ["scaled rope as the authors'", "scaled", "crosslayer-2024", /it scales rotary embedding \(yarn\)/],
  ];
  test.each(cases)("%s", async (_, name, target, message) => {
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), kindConfig(sharedKinds[name]!));
    await expect(exportHuggingFace(run, join(folder, "out"), { target })).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(["run"]);
  });

  test("a folder that is not empty, and work that is stopped", async () => {
    const folder = scratch();
    const run = await writeRun(join(folder, "run"), kindConfig(sharedKinds.cla2!));
    await expect(exportHuggingFace(run, join(folder, "run"))).rejects.toThrow(/holds files already/);
    const stopped = exportHuggingFace(run, join(folder, "out"), { signal: AbortSignal.abort(new Error("stop")) });
    await expect(stopped).rejects.toThrow("stop");
    expect(readdirSync(folder)).toEqual(["run"]);
  });
});

test("every target says why or is suited, and one suits any model", () => {
  for (const kind of Object.values({ ...unsharedKinds, ...sharedKinds })) {
    expect(targets[kind.target].unsuited(kindConfig(kind))).toBeUndefined();
    expect(targets.crosslayer.unsuited()).toBeUndefined();
  }
});
