// All memories of WebAssembly in a thread have a limit together.

import { expect, test } from "vitest";
import { limitMemory } from "../../src/grammar/wasm-memory.ts";

const page = 1 << 16;

test("memories grow to the limit, all together, and not beyond it", () => {
  limitMemory(10 * page);
  const [one, other] = [new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Memory({ initial: 2 })];
  expect(one.grow(5)).toBe(1);
  expect(other.grow(2)).toBe(2);
  expect(() => other.grow(1)).toThrow(RangeError);
  expect(() => one.grow(1)).toThrow(/bytes of memory/);
  expect([one, other].map(({ buffer }) => buffer.byteLength / page)).toEqual([6, 4]);
  expect(one.grow(0)).toBe(6);
});
