import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { Batches, type TokenReader } from "../../src/text/batches.ts";

const count = (tokens: number): TokenReader => ({
  tokens,
  read: (start, length) => Int32Array.from({ length }, (_, i) => start + i),
});
const rows = (batches: Batches, batchesToTake: number, batch: number, context: number) =>
  Array.from({ length: batchesToTake }, () => [...batches.next().tokens.data]).flatMap((data) =>
    Array.from({ length: batch }, (_, row) => data.slice(row * (context + 1), (row + 1) * (context + 1))),
  );

describe("Batches", () => {
  it("gives sequences of context + 1 tokens at a stride of context", () => {
    const batches = new Batches(count(41), { batch: 2, context: 4, seed: 1 });
    expect(batches.perEpoch).toBe(10);
    const { tokens, position, epoch } = batches.next();
    expect(tokens.shape).toEqual([2, 5]);
    expect(tokens.dtype).toBe("int32");
    expect([position, epoch, batches.position]).toEqual([0, 0, 2]);
    for (const row of rows(batches, 20, 2, 4)) {
      expect(row[0]! % 4).toBe(0);
      expect(row).toEqual([0, 1, 2, 3, 4].map((i) => row[0]! + i));
    }
  });

  it("predicts every token but the first once an epoch, up to a rest shorter than a context", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 80 }), fc.nat(), (context, more, seed) => {
        const tokens = context + 1 + more;
        const batches = new Batches(count(tokens), { batch: 1, context, seed });
        const targets = rows(batches, batches.perEpoch, 1, context).flatMap((row) => row.slice(1));
        const expected = Array.from({ length: batches.perEpoch * context }, (_, i) => i + 1);
        expect(targets.toSorted((a, b) => a - b)).toEqual(expected);
        expect(tokens - 1 - expected.length).toBeLessThan(context);
      }),
    );
  });

  it("gives the same order whatever the batch and wherever it began", () => {
    const options = { context: 3, seed: 7 };
    const all = rows(new Batches(count(50), { ...options, batch: 1 }), 120, 1, 3);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 70 }), (batch, position) => {
        const batches = new Batches(count(50), { ...options, batch });
        batches.seek(position);
        const first = batches.next();
        expect(first.position).toBe(position);
        expect(first.epoch).toBe(Math.floor(position / batches.perEpoch));
        expect(batches.position).toBe(position + batch);
        expect([...first.tokens.data]).toEqual(all.slice(position, position + batch).flat());
      }),
    );
  });

  it("shuffles anew by epoch and by seed", () => {
    const epochs = (seed: number) => {
      const batches = new Batches(count(101), { batch: 100, context: 1, seed });
      return [batches.next(), batches.next()].map(({ tokens }) => tokens.data.join());
    };
    expect(new Set([...epochs(1), ...epochs(2)]).size).toBe(4);
    expect(epochs(1)).toEqual(epochs(1));
  });

  it("refuses too few tokens, and sizes and positions that are no counts", () => {
    const options = { batch: 1, context: 8, seed: 0 };
    expect(() => new Batches(count(8), options)).toThrow(/needs 9 tokens, the data has 8; use a context of at most 7/);
    expect(() => new Batches(count(1), options)).toThrow(InputError);
    expect(new Batches(count(9), options).perEpoch).toBe(1);
    for (const wrong of [0, -1, 1.5, Number.NaN]) {
      expect(() => new Batches(count(9), { ...options, batch: wrong })).toThrow(InputError);
      expect(() => new Batches(count(9), { ...options, context: wrong })).toThrow(InputError);
    }
    for (const wrong of [-1, 1.5, Number.NaN])
      expect(() => new Batches(count(9), options).seek(wrong)).toThrow(InputError);
  });
});
