import * as library from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { PieceCounts, trainBpe } from "../../src/text/bpe-training.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.ts";
import { type NaiveBpe, naiveEncode, naiveTrain } from "./naive-bpe.ts";
import { corpus, nastyStrings, wellFormed } from "./strings.ts";

interface Json {
  model: { vocab: Record<string, number>; merges: string[] };
}

/** The reference library's tokenizer of the same JSON, as it would come from a file. */
function reference(tokenizer: Tokenizer) {
  const json = JSON.parse(JSON.stringify(tokenizer.json));
  return new library.Tokenizer(json, { clean_up_tokenization_spaces: false });
}

function mergesOf(tokenizer: Tokenizer): [number, number][] {
  const { vocab, merges } = (tokenizer.json as Json).model;
  return merges.map((merge) => merge.split(" ").map((part) => vocab[part]) as [number, number]);
}

function expectSame(tokenizer: Tokenizer, naive: NaiveBpe) {
  expect(mergesOf(tokenizer)).toEqual(naive.merges);
  const bytes = Array.from({ length: tokenizer.vocab }, (_, id) =>
    Buffer.from(tokenizer.bytesOf(id)).toString("latin1"),
  );
  expect(bytes.slice(1)).toEqual(naive.tokens.slice(1));
}

const trained = trainBpe(corpus, { vocab: 480 });
// Few letters, so that pairs repeat, overlap and spell the same token in two ways.
const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "d", " ", "é"), maxLength: 60 });

describe("trainBpe", () => {
  it("has exactly the vocabulary asked for: end of text, bytes, merges", () => {
    expect(trained.vocab).toBe(480);
    expect(trained.endOfText).toBe(0);
    expect(trained.bytesOf(1)).toEqual(Uint8Array.of(0));
    expect(trained.bytesOf(256)).toEqual(Uint8Array.of(255));
    expect(Object.keys((trained.json as Json).model.vocab)).toHaveLength(480);
    expect(trainBpe(corpus, { vocab: 257 }).encode("ab")).toEqual(Uint32Array.of(98, 99));
  });

  it("merges and encodes as the textbook's loop", () => {
    const naive = naiveTrain(corpus, 480);
    expectSame(trained, naive);
    for (const string of [...corpus, ...nastyStrings.filter((string) => string.length < 200)]) {
      expect([...trained.encode(string)], JSON.stringify(string)).toEqual(naiveEncode(naive, string));
    }
  });

  it("merges and encodes as the textbook's loop on any text", () => {
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 1, maxLength: 6 }),
        text,
        fc.integer({ min: 0, max: 60 }),
        (texts, other, more) => {
          const naive = naiveTrain(texts, 257 + more);
          const tokenizer = trainBpe(texts, { vocab: naive.tokens.length });
          expectSame(tokenizer, naive);
          for (const string of [...texts, other])
            expect([...tokenizer.encode(string)]).toEqual(naiveEncode(naive, string));
        },
      ),
      { numRuns: 80 },
    );
  });

  it("does not depend on the order of texts where counts are equal", () => {
    const counts = new PieceCounts();
    for (const document of corpus.toReversed()) counts.add(document);
    expect(trainBpe(counts, { vocab: 480 }).json).toEqual(trained.json);
  });

  it("says the smallest and the largest vocabulary possible", () => {
    expect(() => trainBpe(corpus, { vocab: 256 })).toThrow(/at least 257/);
    expect(() => trainBpe(corpus, { vocab: 300.5 })).toThrow(InputError);
    expect(() => trainBpe(["abab ab"], { vocab: 300 })).toThrow(
      new InputError("vocab: 300 asked, but the text has no more pairs to merge; at most 260"),
    );
    expect(trainBpe(["abab ab"], { vocab: 260 }).vocab).toBe(260);
    expect(() => trainBpe([], { vocab: 258 })).toThrow(/at most 257/);
  });

  it("reports progress up to the end", () => {
    const seen: number[] = [];
    trainBpe(corpus, { vocab: 480, onProgress: ({ done, total }) => seen.push(done / total) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe("encode and decode", () => {
  const theirs = reference(trained);

  it.each(nastyStrings.map((string) => [JSON.stringify(string).slice(0, 60), string]))(
    "gives the reference library's ids for %s",
    (_, string) => {
      expect([...trained.encode(string, { special: true })]).toEqual(theirs.encode(string).ids);
      if (!string.includes("<|endoftext|>")) expect([...trained.encode(string)]).toEqual(theirs.encode(string).ids);
    },
  );

  it("gives the reference library's ids for any text", () => {
    const any = fc.string({
      unit: fc.oneof(
        fc.constantFrom(..."the dog's 12\n\t", "👍", "\u0301", "\ud83d"),
        fc.string({ unit: "binary", maxLength: 1 }),
      ),
    });
    fc.assert(
      fc.property(any, (string) => {
        expect([...trained.encode(string, { special: true })]).toEqual(theirs.encode(string).ids);
        expect(trained.decode(trained.encode(string))).toBe(wellFormed(string));
        if (string !== "") expect(theirs.decode([...trained.encode(string)])).toBe(wellFormed(string));
      }),
      { numRuns: 200 },
    );
  });

  it("gives texts back, with U+FFFD for lone surrogates", () => {
    for (const string of nastyStrings) {
      expect(trained.decode(trained.encode(string))).toBe(wellFormed(string));
      expect(trained.decode(trained.encode(string, { special: true }))).toBe(wellFormed(string));
    }
  });

  it("takes special tokens for text unless asked", () => {
    expect([...trained.encode("<|endoftext|>")]).not.toContain(0);
    expect([...trained.encode("a<|endoftext|>b", { special: true })]).toEqual([98, 0, 99]);
  });

  it("encodes a word of a million letters", () => {
    const ids = trained.encode("ab".repeat(500_000));
    expect(trained.decode(ids)).toBe("ab".repeat(500_000));
  });

  it("gives the same ids after a round trip through JSON", () => {
    const again = loadTokenizer(JSON.parse(JSON.stringify(trained.json)));
    for (const string of [...corpus, ...nastyStrings]) expect(again.encode(string)).toEqual(trained.encode(string));
  });
});
