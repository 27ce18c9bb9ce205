// Patterns of a tokenizer.json come to an end, or are said not to.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { ChatTemplate } from "../../src/text/chat-template.ts";
import { normalizer } from "../../src/text/normalizer.ts";
import { pretokenizer, pretokenizerSchema } from "../../src/text/pretokenizer.ts";

const cutterOf = (Regex: string) =>
  pretokenizer(
    pretokenizerSchema.parse({
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex }, behavior: "Isolated" },
        { type: "ByteLevel", use_regex: false },
      ],
    }),
  );

function piecesOf(pattern: string, text: string): string[] {
  const pieces: string[] = [];
  cutterOf(pattern)(text, (piece) => pieces.push(piece));
  return pieces;
}

describe("a pattern", () => {
  test.each([
    ["(a+)+\\b!x", "a".repeat(60)],
    ["(?:a|aa)+!", "a".repeat(200)],
    ["a*a*a*a*a*!x", "a".repeat(4000)],
  ])("that does not end is an error in a few seconds: %s", { timeout: 60_000 }, (pattern, text) => {
    expect(() => piecesOf(pattern, text)).toThrow(/does not come to an end on a text of \d+ characters/);
  });

  test("of a normalizer is bounded, too", () => {
    const replace = (Regex: string) => normalizer([{ type: "Replace", pattern: { Regex }, content: "" }]);
    expect(replace("l+")("hello")).toBe("heo");
    expect(() => replace("(")).toThrow(InputError);
    expect(() => replace("(?:a|aa)+!")("a".repeat(200))).toThrow(/does not come to an end on a text of 200 characters/);
  });

  test("that is none is an error when the tokenizer is read", () => {
    expect(() => cutterOf("(a")).toThrow(InputError);
    expect(() => cutterOf("(a")).toThrow(/pattern "\(a": /);
  });

  test("of a model in use cuts long texts whole, a mistake of the caller passes through", () => {
    const cl100k =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const text = "we're 1234 strong,   and so on\n\n  ".repeat(20_000);
    expect(piecesOf(cl100k, text).join("")).toBe(text);
    const fails = () =>
      cutterOf(cl100k)("we", () => {
        throw new RangeError("mine");
      });
    expect(fails).toThrow(new RangeError("mine"));
  });
});

test("a chat template that does not end is refused", () => {
  const loop = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}";
  const template = new ChatTemplate(loop, { begin: "", end: "" });
  expect(() => template.render([{ role: "user", content: "we" }])).toThrow(
    /template refuses them: it does not come to an/,
  );
});
