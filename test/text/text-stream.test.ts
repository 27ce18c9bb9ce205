import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { TextStream } from "../../src/text/text-stream.ts";
import { corpus, wellFormed } from "./strings.ts";

const tokenizer = trainBpe(corpus, { vocab: 400 });
const bytes = (text: string) => [...new TextEncoder().encode(text)].map((byte) => byte + 1);

/** `text` before the stop text that begins earliest. */
function cut(text: string, stops: readonly string[]): string {
  const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
  return text.slice(0, Math.min(text.length, ...places));
}

/** The length of the longest end of `text` with which one of `stops` begins, but is not done. */
function open(text: string, stops: readonly string[]): number {
  let length = text.length;
  while (length > 0 && !stops.some((stop) => stop.length > length && stop.startsWith(text.slice(-length)))) length--;
  return length;
}

function stream(ids: Iterable<number>, stops: readonly string[]) {
  const texts = new TextStream(tokenizer, stops);
  const pieces = Array.from(ids, (id) => texts.push(id));
  return { pieces: [...pieces, texts.end()], stopped: texts.stopped };
}

// Tokens that often make up the stop texts below: letters, line ends, parts of characters, any others.
const ids = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...bytes("aaabb\n")) },
    { weight: 2, arbitrary: fc.constantFrom("👍", "👍👍", "中", "文", "é", "ab", "\n\n").map(bytes) },
    { weight: 1, arbitrary: fc.integer({ min: 128, max: 256 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 399 }) },
  ),
  { maxLength: 40 },
);
const flat = ids.map((tokens) => tokens.flat());
const stops = fc.array(
  fc.oneof(
    fc.constantFrom("aab", "ab", "\n\n", "b", "aabaaab", "aba", "👍", "👍👍\n", "中文", "中", "\ufffd", "\ufffda"),
    fc.string({ unit: fc.constantFrom("a", "b", "👍"), minLength: 1, maxLength: 5 }),
  ),
  { maxLength: 4 },
);

describe("TextStream", () => {
  it("gives the text up to the earliest stop text, for any tokens", () => {
    fc.assert(
      fc.property(flat, stops, (tokens, stop) => {
        const whole = tokenizer.decode(tokens);
        const { pieces, stopped } = stream(tokens, stop);
        expect(pieces.join("")).toBe(cut(whole, stop));
        expect(stopped).toBe(stop.some((text) => whole.includes(text)));
        for (const piece of pieces) expect(piece).toBe(wellFormed(piece));
      }),
      { numRuns: 3000 },
    );
  });

  it("holds back what could yet be a stop text and not a character more", () => {
    fc.assert(
      fc.property(flat, stops, (tokens, stop) => {
        const texts = new TextStream(tokenizer, stop);
        const plain = new TextStream(tokenizer, []);
        let [given, whole] = ["", ""];
        for (const token of tokens) {
          given += texts.push(token);
          whole += plain.push(token);
          if (stop.some((text) => whole.includes(text))) break;
          expect(given).toBe(whole.slice(0, whole.length - open(whole, stop)));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("finds stop texts within tokens and across them", () => {
    expect(stream(tokenizer.encode("The lazy dog didn't mind"), ["y dog d"])).toEqual({
      pieces: expect.arrayContaining(["The"]),
      stopped: true,
    });
    expect(stream(bytes("a👍b"), ["👍"]).pieces).toEqual(["a", "", "", "", "", "", ""]);
    expect(stream(bytes("a👍"), ["👍b"]).pieces).toEqual(["a", "", "", "", "", "👍"]);
    expect(stream(bytes("xaaab"), ["aab", "ab"]).pieces.join("")).toBe("xa");
  });

  it("waits where a stop text lies in another's beginning", () => {
    expect(stream(bytes("abcd"), ["abcd", "bc"]).pieces).toEqual(["", "", "", "", ""]);
    expect(stream(bytes("abce"), ["abcd", "bc"]).pieces).toEqual(["", "", "", "a", ""]);
    expect(stream(bytes("abc"), ["abcd", "bc"])).toEqual({ pieces: ["", "", "", "a"], stopped: true });
  });

  it("gives nothing once it has stopped", () => {
    const texts = new TextStream(tokenizer, ["\n\n"]);
    expect(bytes("a\n\nb").map((id) => texts.push(id))).toEqual(["a", "", "", ""]);
    expect(texts.stopped).toBe(true);
    expect(texts.end()).toBe("");
  });

  it("takes no longer per token in a long text or with a long stop text", () => {
    const near = "ab".repeat(2047);
    const many = Array.from({ length: 64 }, (_, i) => `${near}${String.fromCharCode(0x4e00 + i)}`);
    const tokens = bytes("ab".repeat(50_000));
    const start = performance.now();
    expect(stream(tokens, many).pieces.join("")).toHaveLength(100_000);
    expect(performance.now() - start).toBeLessThan(60_000); // 100,000 × 64 × 4,095 would take minutes
  });

  it("refuses stop texts that are none, too many, too long or no text", () => {
    for (const [stop, message] of [
      [["a", ""], /stop: text 1 is empty/],
      [new Array<string>(65).fill("a"), /stop: 65 texts; there can be at most 64/],
      [["a".repeat(4097)], /stop: text 0 has 4097 UTF-16 units; it can have at most 4096/],
      [["\ud83d"], /stop: text 0, "\\ud83d", has half a character/],
    ] as const) {
      const make = () => new TextStream(tokenizer, stop);
      expect(make).toThrow(InputError);
      expect(make).toThrow(message);
    }
    expect(() => new TextStream(tokenizer, ["a".repeat(4096), ...new Array<string>(63).fill("b")])).not.toThrow();
  });
});
