import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { isValidation, parts, Sides, splitPoint } from "../../src/text/split.ts";

const documents = Array.from({ length: 4000 }, (_, i) => `document ${i}`);

describe("isValidation", () => {
  it("holds out about the fraction asked for", () => {
    for (const fraction of [0.01, 0.05, 0.5]) {
      const held = documents.filter((document) => isValidation(document, fraction)).length / documents.length;
      expect(Math.abs(held - fraction)).toBeLessThan(4 * Math.sqrt((fraction * (1 - fraction)) / documents.length));
    }
    expect(documents.some((document) => isValidation(document, 0))).toBe(false);
    expect(documents.every((document) => isValidation(document, 1))).toBe(true);
  });

  it("holds out more where the fraction is larger, never others", () => {
    for (const document of documents) if (isValidation(document, 0.05)) expect(isValidation(document, 0.1)).toBe(true);
  });

  it("is by sha256 of the document", () => {
    // printf abc | sha256sum: ba7816bf8f01…
    expect(splitPoint("abc")).toBe(0xba7816bf8f01 / 2 ** 48);
  });

  it("refuses what is no fraction", () => {
    for (const fraction of [-0.1, 1.1, Number.NaN]) expect(() => isValidation("", fraction)).toThrow(InputError);
  });
});

describe("Sides", () => {
  const check = (texts: string[], fraction: number) => {
    const sides = new Sides("three", fraction);
    for (const text of texts) sides.isValidation(text);
    sides.check();
  };

  it("says which fraction would do", () => {
    const texts = documents.slice(0, 3);
    const right = (() => {
      try {
        check(texts, 0);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        return /leaves none of 3 documents for validation; use one from ([\d.]+) to ([\d.]+)$/.exec(
          (error as Error).message,
        );
      }
    })();
    expect(() => check(texts, 1)).toThrow("for training");
    for (const fraction of right!.slice(1)) check(texts, Number(fraction));
  });

  it("finds a fraction between points that are close", () => {
    const [a, b] = documents.toSorted((a, b) => splitPoint(a) - splitPoint(b)).slice(100, 102) as [string, string];
    expect(splitPoint(b) - splitPoint(a)).toBeLessThan(0.001);
    try {
      check([a, b], 0);
      expect.unreachable();
    } catch (error) {
      check([a, b], Number(/([\d.]+)$/.exec((error as Error).message)![1]));
    }
  });

  it("says where no fraction would do", () => {
    expect(() => check(["same", "same"], 0.5)).toThrow("at least two different documents");
    expect(() => check([], 0.5)).toThrow("at least two different documents");
  });
});

describe("a text that is one document", () => {
  const text = Array.from({ length: 900 }, (_, i) => `word${i} 👍${i % 20 === 0 ? "\n" : " "}`).join("");
  const divided = async (documents: readonly string[], fraction: number) => {
    const sides = new Sides("book", fraction);
    const found: { text: string; heldOut: boolean }[] = [];
    async function* given() {
      yield* documents;
    }
    for await (const one of sides.divide(given())) found.push(one);
    sides.check();
    return found;
  };

  it("is held out at its tail, which begins after white space", async () => {
    for (const fraction of [0.05, 0.1, 0.5]) {
      const [head, tail, ...more] = await divided([text], fraction);
      expect([head?.heldOut, tail?.heldOut, more.length]).toEqual([false, true, 0]);
      expect((head?.text ?? "") + tail?.text).toBe(text);
      expect((tail?.text.length ?? 0) / text.length).toBeCloseTo(fraction, 1);
      expect(head?.text).toMatch(/\s$/);
    }
  });

  it("is not cut within a character where it has no white space", () => {
    for (const place of [0.1, 0.30001, 0.5]) {
      for (const part of parts("👍".repeat(1000), [place])) expect(part).not.toMatch(/\p{Surrogate}/u);
    }
  });

  it("is whole where it is short, and one of several is never cut", async () => {
    await expect(divided(["short"], 0.1)).rejects.toThrow(/or one of 1000 characters or more/);
    await expect(divided([text], 0)).rejects.toThrow(InputError);
    const both = await divided([text, `${text}!`, "a", "b", "c", "d"], 0.5);
    expect(both.map((one) => one.text)).toEqual([text, `${text}!`, "a", "b", "c", "d"]);
  });
});
