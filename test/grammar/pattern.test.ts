import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { patternGrammar } from "../../src/grammar/pattern.ts";
import { compiler, takes } from "./bytewise.ts";

const refusal = (problem: string) => new InputError(`pattern: ${problem}`);

const texts = [
  ...'abcz019_ -."\\/\n\t^$&éü中👍\u00a0',
  "",
  "ab",
  "aa",
  "aab",
  "abab",
  "12345",
  "a-b",
  "a.b",
  'say "hi"',
  "a\\b",
  "👍👍",
  "中a",
  "AZ",
  "[x]",
  "a\nb",
  "aaaaaaa",
  "x@y.z",
];

const patterns = [
  "a",
  "^a$",
  "^a|b$",
  "ab?",
  "(ab)*",
  "(?:ab)+",
  "(?<name>a|b){2,3}",
  "a{2}",
  "a{3,}",
  "a{0}b",
  "[a-c]+",
  "[^a-c]",
  "[^\\d\\s]+",
  "\\d{5}",
  "\\w+",
  "\\W",
  "\\D+",
  "\\S+",
  "[\\w-]+",
  "a\\-b",
  "a\\.b",
  "a.b",
  ".*",
  ".+",
  ".{2}",
  "",
  "(a|)b?",
  "(a*)*",
  "[éü中]",
  "[à-ü]+",
  "👍+",
  "[👍]{2}",
  "\\u{1F44D}",
  "\\u00e9|\\x61",
  'say "hi"',
  "a\\\\b",
  '["\\\\/]',
  "\\/|\\^|\\$",
  "[\\]\\[x]+",
  "[^]",
  "a\\nb|\\t",
  "[\\s\\S]*",
  "(?:[a-z]+@[a-z]\\.[a-z]|\\d+)",
  "a*?b+?",
];

/** What takes spaces beyond ASCII, as there is no excluding them. */
const spaceless = /\\S|\[\^.*\\s/;

describe("patternGrammar", () => {
  it.each(patterns)("takes what %j matches from end to end, as it is", async (pattern) => {
    const whole = new RegExp(`^(?:${pattern.replaceAll("\\-b", "-b")})$`, "u");
    for (const text of texts) {
      if (text === "\u00a0" && spaceless.test(pattern)) continue;
      expect(takes(await compiler.regex(pattern), text), JSON.stringify(text)).toBe(whole.test(text));
    }
  });

  it.each(patterns)("takes what %j matches from end to end, in a JSON string", async (pattern) => {
    const whole = new RegExp(`^(?:${pattern.replaceAll("\\-b", "-b")})$`, "u");
    const grammar = `root ::= "\\"" ${patternGrammar(pattern, "json", refusal)} "\\""`;
    for (const text of texts) {
      if (text === "\u00a0" && spaceless.test(pattern)) continue;
      expect(takes(await compiler.grammar(grammar), JSON.stringify(text)), JSON.stringify(text)).toBe(whole.test(text));
      if (["\\", '"', "\n", "a\nb"].includes(text)) {
        expect(takes(await compiler.grammar(grammar), `"${text}"`), `raw ${JSON.stringify(text)}`).toBe(false);
      }
    }
  });

  it.each([
    ["(", /Unterminated group/],
    ["[b-a]", /Range out of order/],
    ["a{2,1}", /out of order/],
    ["(?=a)b", /"\(\?=a\)b" has looking ahead or behind/],
    ["(?<!a)b", /looking ahead or behind/],
    ["(a)\\1", /\\1/],
    ["\\bword", /\\b/],
    ["\\p{L}+", /\\p/],
    ["a^b", /\^ inside a pattern/],
    ["(a$)b", /\$ inside a pattern/],
    ["[^é]", /\[\^…\] with characters beyond ASCII/],
    ["[\u4e00-\u9fff]", /more than 256 characters beyond ASCII/],
    ["(a{100}b){100}", /\{100\}, which makes it 10100 characters long; 500 are the most/],
    ["[]", /a class without a character/],
    ["\\ud83d", /half a character/],
    ["\ud83d", /half a character/],
  ])("refuses %j", (pattern, message) => {
    const read = () => patternGrammar(pattern, "json", refusal);
    expect(read).toThrow(InputError);
    expect(read).toThrow(message);
  });

  it("takes groups as deep as may be, and refuses deeper ones", async () => {
    const nested = (times: number) => `${"(?:a|".repeat(times)}b${")*".repeat(times)}`;
    expect(takes(await compiler.regex(nested(100)), "abba")).toBe(true);
    for (const times of [101, 10_000]) {
      const read = () => patternGrammar(nested(times), "json", refusal);
      expect(read).toThrow(new InputError("pattern: has groups nested deeper than 100, which a grammar cannot follow"));
    }
    expect(() => patternGrammar(nested(100_000), "json", refusal)).toThrow(InputError); // JavaScript's own limit
  });
});
