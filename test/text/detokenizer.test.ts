import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { Detokenizer } from "../../src/text/detokenizer.ts";
import { corpus, nastyStrings, wellFormed } from "./strings.ts";

const tokenizer = trainBpe(corpus, { vocab: 400 });
const stream = (ids: Iterable<number>) => {
  const detokenizer = new Detokenizer(tokenizer);
  return [...Array.from(ids, (id) => detokenizer.push(id)), detokenizer.end()];
};

describe("Detokenizer", () => {
  it("gives what decode gives, for texts", () => {
    for (const text of nastyStrings) expect(stream(tokenizer.encode(text)).join("")).toBe(wellFormed(text));
  });

  it("gives what decode gives, for any ids", () => {
    const id = fc.oneof(fc.integer({ min: 128, max: 256 }), fc.integer({ min: 0, max: 399 }));
    fc.assert(
      fc.property(fc.array(id), (ids) => {
        expect(stream(ids).join("")).toBe(tokenizer.decode(ids));
      }),
      { numRuns: 500 },
    );
  });

  it("holds back a character until it is whole", () => {
    const bytes = [...new TextEncoder().encode("a€👍")].map((byte) => byte + 1);
    expect(stream(bytes)).toEqual(["a", "", "", "€", "", "", "", "👍", ""]);
  });

  it("never gives half a surrogate pair", () => {
    const pieces = stream([...new TextEncoder().encode("👍👨‍👩‍👧‍👦𝒳")].map((byte) => byte + 1));
    for (const piece of pieces) expect(piece).toBe(wellFormed(piece));
  });

  it("ends an unfinished character with U+FFFD and can begin anew", () => {
    const detokenizer = new Detokenizer(tokenizer);
    expect(detokenizer.push(0xe2 + 1)).toBe("");
    expect(detokenizer.end()).toBe("\ufffd");
    expect(detokenizer.push(98)).toBe("a");
    expect(detokenizer.end()).toBe("");
  });
});
