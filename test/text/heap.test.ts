import fc from "fast-check";
import { expect, it } from "vitest";
import { Heap } from "../../src/text/heap.ts";

it("gives items back in order, whatever was pushed in between", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), (steps) => {
      const heap = new Heap<number>((a, b) => a < b);
      let sorted: number[] = [];
      for (const step of steps) {
        if (step === null) {
          expect(heap.pop()).toBe(sorted[0]);
          sorted = sorted.slice(1);
        } else {
          heap.push(step);
          sorted = [...sorted, step].toSorted((a, b) => a - b);
        }
        expect(heap.size).toBe(sorted.length);
      }
    }),
  );
});
