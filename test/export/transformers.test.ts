// Exported folders in the real transformers: our logits with and without its caches, our greedy text, our token ids, and a
// cache that is as small as sharing makes it. Needs a Python that has torch and transformers: $CROSSLAYER_PYTHON, or python3.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportHuggingFace } from "../../src/export/export-checkpoint.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { owners } from "../../src/model/sharing.ts";
import { FullForward } from "../engine/full-forward.ts";
import { output, scratch } from "../files/scratch.ts";
import { kindConfig, sharedKinds, unsharedKinds, writeRun } from "./runs.ts";

const python = process.env.CROSSLAYER_PYTHON ?? "python3";
const found = spawnSync(python, ["-c", "import torch, transformers, safetensors; print(transformers.__version__)"]);
const version = found.status === 0 ? found.stdout.toString().trim() : undefined;
if (version === undefined)
  console.log(`transformers: ${python} has no torch and transformers; its judgements are skipped`);

const text = "Four score and seven: naïve 12345 🙂\n\n  fathers";
const tokensOf = (vocab: number) => Array.from({ length: 24 }, (_, i) => 3 + ((i * i * 7 + 3 * i) % (vocab - 3)));

interface Findings {
  readonly name: string;
  readonly error?: string;
  readonly [finding: string]: unknown;
}

test.skipIf(version === undefined)(
  `transformers ${version} computes what we do`,
  async () => {
    const folder = scratch();
    const kinds = { ...unsharedKinds, ...sharedKinds };
    const expected = new Map<string, { greedy: number[]; ids: number[] }>();
    for (const [name, kind] of Object.entries(kinds)) {
      const config = kindConfig(kind);
      const run = await writeRun(join(folder, "runs", name), config);
      mkdirSync(join(folder, "cases"), { recursive: true });
      const { target } = await exportHuggingFace(run, join(folder, "cases", name));
      expect(target).toBe(kind.target);
      const { tensors } = await run.loadModel();
      using full = await FullForward.create(config, tensors, { length: 40 });
      const tokens = tokensOf(config.vocab);
      const { logits } = await full.run(tokens);
      const prompt = 6;
      const { tokens: greedy } = await full.greedy(tokens.slice(0, prompt), 16);
      const rows = Float32Array.from((logits as Float32Array[]).flatMap((row) => [...row]));
      const tokenizer = run.loadTokenizer();
      const words = { tokens, prompt, greedy, text, logits: Buffer.from(rows.buffer).toString("base64") };
      writeFileSync(join(folder, "cases", `${name}.json`), JSON.stringify(words));
      expected.set(name, { greedy, ids: [...tokenizer.prefix, ...tokenizer.encode(text)] });
    }
    const { text: printed } = await output(python, [join(import.meta.dirname, "judge.py"), join(folder, "cases")]);
    const judged = printed
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Findings);
    expect(judged.map(({ name }) => name).sort(), printed).toEqual(Object.keys(kinds).sort());
    for (const { name, error, ...findings } of judged) {
      expect(error, name).toBeUndefined();
      const { greedy, ids } = expected.get(name) as { greedy: number[]; ids: number[] };
      const config = kindConfig(kinds[name] as (typeof kinds)[string]);
      const bytes = 24 * kvBytesPerToken(config, "float32");
      for (const way of ["full", "cached", "static"]) expect(findings[way], `${name}: ${way}`).toBeLessThan(1e-4);
      expect(findings, name).toMatchObject({
        ...{ bytes, configuredBytes: bytes, staticBytes: bytes, tensors: 2 * owners(config.sharing).length },
        ...{ greedy, uncached: greedy, padded: greedy, beams: greedy.length },
        ...{ ids, fed: ids, back: text, loaded: true },
      });
      if (findings.type !== "crosslayer") continue;
      expect(findings.eager, `${name}: eager`).toBeLessThan(1e-4);
      expect(findings.checkpointing, `${name}: gradients`).toBeLessThan(1e-5);
    }
  },
  600_000,
);
