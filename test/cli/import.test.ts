// `crosslayer import` as a user runs it: a folder becomes a run that the other commands take.

import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { golden, writeFolder } from "../foreign/golden/golden.ts";
import { crosslayer } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "crosslayer-import-"));
afterAll(() => rmSync(folder, { recursive: true }));
const out = join(folder, "run");

it("makes a run that can be looked at, measured and asked", async () => {
  writeFolder(folder, golden("hunyuan-cla"));
  const made = await crosslayer(["import", folder, "--out", out, "--context", "64"]);
  expect(made.err).toMatch(/is H8-GQA2-CLA2: [\d.]+K parameters/);
  expect(made.err).toMatch(
    /note: Left out, as the model does not use it: model\.layers\.1\.self_attn\.k_proj\.weight and 3 more/,
  );
  expect(made.out).toMatch(/written to .*run; try: crosslayer generate/);
  expect(made.status).toBe(0);
  expect((await crosslayer(["inspect", out])).out).toContain("4, of which 2 keep keys and values");
  const text = join(folder, "text.txt");
  writeFileSync(text, "the quick brown fox");
  const found = JSON.parse((await crosslayer(["eval", out, "--data", text, "--json", "--threads", "1"])).out);
  expect(found.tokens).toBeGreaterThan(0);
  const said = await crosslayer(["generate", out, "the", "--max-tokens", "3", "--weights", "int8", "--threads", "1"]);
  expect(said.status).toBe(0);
});

it("refuses what cannot be imported in one line, and leaves nothing", async () => {
  const again = await crosslayer(["import", folder, "--out", out]);
  expect(again).toMatchObject({ status: 1, err: `error: ${out}: holds a run already; choose another --out\n` });
  truncateSync(join(folder, "model.safetensors"), 4000);
  const cut = await crosslayer(["import", folder, "--out", `${out}2`]);
  expect(cut.status).toBe(1);
  expect(cut.err).toMatch(/^error: .*model\.safetensors: .*\n$/);
  expect(existsSync(`${out}2`)).toBe(false);
  const longer = await crosslayer(["import", folder, "--out", `${out}2`, "--context", "0"]);
  expect(longer.status).toBe(2);
});
