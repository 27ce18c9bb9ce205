import { describe, expect, it } from "vitest";
import { countBytes, countWords } from "../../src/text/word-count.ts";

describe("countWords", () => {
  it.each([
    // len(re.split(r"\s+", text)) in Python 3
    ["", 1],
    ["one", 1],
    ["one two", 2],
    [" one two\n", 4],
    ["a\t\r\n b", 2],
    ["a\u00a0b\u3000c\u2028d", 4],
    ["a\u001cb\u0085c", 3],
    ["a\ufeffb\u200bc", 1],
  ])("splits %j as Python does", (text, words) => {
    expect(countWords(text)).toBe(words);
  });
});

describe("countBytes", () => {
  it("is the length in UTF-8", () => {
    expect(countBytes("a€👍")).toBe(8);
  });
});
