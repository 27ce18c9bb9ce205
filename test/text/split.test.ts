import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { isValidation, Sides, splitPoint } from "../../src/text/split.ts";

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
