import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { type Divided, isHeldOut, parts, Sides, splitPoint } from "../../src/text/split.ts";

const documents = Array.from({ length: 4000 }, (_, i) => `document ${i}`);

describe("isHeldOut", () => {
  it("holds out about the fraction asked for", () => {
    for (const fraction of [0.01, 0.05, 0.5]) {
      const held = documents.filter((document) => isHeldOut(document, fraction)).length / documents.length;
      expect(Math.abs(held - fraction)).toBeLessThan(4 * Math.sqrt((fraction * (1 - fraction)) / documents.length));
    }
    expect(documents.some((document) => isHeldOut(document, 0))).toBe(false);
    expect(documents.every((document) => isHeldOut(document, 1))).toBe(true);
  });

  it("holds out more where the fraction is larger, never others", () => {
    for (const document of documents) if (isHeldOut(document, 0.05)) expect(isHeldOut(document, 0.1)).toBe(true);
  });

  it("is by sha256 of the document", () => {
    // printf abc | sha256sum: ba7816bf8f01…
    expect(splitPoint("abc")).toBe(0xba7816bf8f01 / 2 ** 48);
  });

  it("refuses what is no fraction", () => {
    for (const fraction of [-0.1, 1.1, Number.NaN]) expect(() => isHeldOut("", fraction)).toThrow(InputError);
  });
});

describe("Sides", () => {
  const check = (texts: string[], fraction: number) => {
    const sides = new Sides("three", fraction);
    for (const text of texts) sides.sideOf(text);
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

  it("keeps documents apart for test, the same whatever the fraction for validation, and says where there are none", () => {
    const testOf = (fraction: number) => {
      const sides = new Sides("many", fraction, 0.1);
      return documents.filter((document) => sides.sideOf(document) === "test");
    };
    expect(testOf(0.05)).toEqual(testOf(0.5));
    expect(testOf(0.05).length / documents.length).toBeCloseTo(0.1, 1);
    const inner = documents.filter((document) => splitPoint(document) < 0.9).slice(0, 40);
    const few = new Sides("few", 0.5, 0.01);
    for (const document of inner) few.sideOf(document);
    expect(() => few.check()).toThrow(
      /leaves none of 40 documents for test; use 0\.[\d]+ or more, or 0 for no test side/,
    );
    const all = new Sides("all", 0.5, 0.5);
    for (const document of documents) all.sideOf(document);
    expect(() => all.check()).toThrow(/for training; use a smaller one/);
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
    const found: Divided[] = [];
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
      expect([head?.side, tail?.side, more.length]).toEqual(["train", "validation", 0]);
      expect((head?.text ?? "") + tail?.text).toBe(text);
      expect((tail?.text.length ?? 0) / text.length).toBeCloseTo(fraction, 1);
      expect(head?.text).toMatch(/\s$/);
    }
  });

  it("has a test side after the one for validation, where one is asked for", async () => {
    const sides = new Sides("book", 0.1, 0.2);
    const found: Divided[] = [];
    async function* given() {
      yield text;
    }
    for await (const one of sides.divide(given())) found.push(one);
    sides.check();
    expect(found.map(({ side }) => side)).toEqual(["train", "validation", "test"]);
    expect(found.map((one) => one.text).join("")).toBe(text);
    expect((found[2]?.text.length ?? 0) / text.length).toBeCloseTo(0.2, 1);
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
