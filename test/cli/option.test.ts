// Options of the command line from schemas: name, words, default, choices and range.

import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { option } from "../../src/cli/option.ts";

const schema = z.object({
  maxTokens: z.int().min(1).max(9).default(4).describe("most tokens"),
  dtype: z.enum(["float32", "int8"]).optional().describe("how it is kept"),
  seed: z.int().default(0).describe("any"),
  rate: z.number().positive().describe("the peak"),
  part: z.number().min(0).max(1).default(0.5).describe("a part"),
  memory: z.union([z.string(), z.number()]).default("1MB").transform(String).describe("memory"),
  flag: z.boolean().default(false).describe("whether"),
});

/** What a command line gives, or what is said of it. */
function given(args: readonly string[], ...options: ReturnType<typeof option>[]) {
  const command = new Command("x").exitOverride().configureOutput({ writeErr: () => {} });
  for (const one of options) command.addOption(one);
  return command.parse(["node", "x", ...args]).opts();
}

describe("option", () => {
  it("takes name, words and default from the schema", () => {
    const made = option(schema, "maxTokens", "<count>");
    expect([made.flags, made.description, made.defaultValue]).toEqual(["--max-tokens <count>", "most tokens", 4]);
    expect(given([], made)).toEqual({ maxTokens: 4 });
    expect(given([], option(schema, "memory", "<size>"))).toEqual({ memory: "1MB" });
    expect(option(schema, "memory", "<size>").description).toBe("memory");
  });

  it("leaves unset what it only tells", () => {
    const made = option(schema, "maxTokens", "<count>", { told: "standard" });
    expect(made.description).toBe("most tokens (default: 4)");
    expect(given([], made)).toEqual({});
    expect(option(schema, "rate", "<x>", { told: "what fits" }).description).toBe("the peak (default: what fits)");
    const flag = option(schema, "flag", "", { description: "otherwise", told: "" });
    expect([flag.flags, flag.description]).toEqual(["--flag", "otherwise"]);
    expect([given([], flag), given(["--flag"], flag)]).toEqual([{}, { flag: true }]);
  });

  it.each([
    ["maxTokens", "0", "a whole number, 1 to 9"],
    ["maxTokens", "1.5", "a whole number, 1 to 9"],
    ["seed", "0.5", "a whole number."],
    ["rate", "0", "a number above 0."],
    ["part", "1.1", "a number from 0 to 1"],
    ["part", "", "a number from 0 to 1"],
    ["dtype", "int4", "float32, int8"],
  ] as const)("--%s %j is refused: %s", (name, text, words) => {
    const made = option(schema, name, "<x>");
    expect(() => given([made.long as string, text], made)).toThrow(words);
  });

  it("reads numbers in their range", () => {
    const all = [option(schema, "maxTokens", "<x>"), option(schema, "rate", "<x>"), option(schema, "part", "<x>")];
    expect(given(["--max-tokens", "9", "--rate", "1e-3", "--part", "0"], ...all)).toEqual({
      maxTokens: 9,
      rate: 0.001,
      part: 0,
    });
  });
});
