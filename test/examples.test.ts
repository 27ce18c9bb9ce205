import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crosslayer, node } from "./cli/command.ts";

const examples = fileURLToPath(new URL("../examples", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "crosslayer-examples-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** What each example is given to be quick, and what it must print. */
const expected: Record<string, { args: string[]; prints: RegExp }> = {
  "compare-caches.ts": { args: [], prints: /H64-MQA-CLA2: 3072 bytes per token allocated/ },
  "many-at-once.ts": {
    args: [join(scratch, "run"), "9"],
    prints: /H64-MQA-CLA2: \d+ tokens[\s\S]*ended by (abort|length)/,
  },
  "serve.ts": { args: [join(scratch, "run")], prints: /Fellow citizens[\s\S]*completion_tokens: 20/ },
  "study.ts": { args: ["8", join(scratch, "study")], prints: /H32-MQA-CLA2: 512 bytes\/token[\s\S]*report\.html/ },
  "train-and-generate.ts": { args: ["8", join(scratch, "train")], prints: /held-out perplexity[\s\S]*Fellow citizens/ },
};

describe("examples", () => {
  beforeAll(async () => {
    const options = ["--steps", "4", "--depth", "2", "--vocab", "512", "--context", "64", "--batch", "2"];
    const { status, err } = await crosslayer(["train", "--data", "sotu", "--out", join(scratch, "run"), ...options]);
    expect([status, err]).toEqual([0, expect.anything()]);
  });

  it("are all run here", () => {
    expect(readdirSync(examples).sort()).toEqual(Object.keys(expected).sort());
  });

  for (const [name, { args, prints }] of Object.entries(expected)) {
    it(`${name} runs`, async () => {
      const { status, out, err } = await node(["--import", "tsx", join(examples, name), ...args]);
      expect(err).toBe("");
      expect(out).toMatch(prints);
      expect(status).toBe(0);
    });
  }
});
