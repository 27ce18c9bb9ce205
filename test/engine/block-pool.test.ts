// The allocator against a plain model of it: whatever is asked in whatever order, used + cached + free is all, no block
// is given out twice, a block is freed once, and the block evicted is the one idle for longest.

import fc from "fast-check";
import { expect, test } from "vitest";
import { BlockPool } from "../../src/engine/block-pool.ts";

/** What the pool should hold: references by block, and idle blocks with their keys in the order of their release. */
class Model {
  readonly references = new Map<number, number>();
  readonly idle: number[] = [];
  readonly keys = new Map<string, number>();

  keyOf(block: number): string | undefined {
    return [...this.keys].find(([, holder]) => holder === block)?.[0];
  }
}

const size = 7;

function checkCounts(pool: BlockPool, model: Model): void {
  expect(pool.used).toBe(model.references.size);
  expect(pool.cached).toBe(model.idle.length);
  expect(pool.used + pool.cached + pool.free).toBe(size);
  expect(pool.shared).toBe([...model.references.values()].filter((count) => count > 1).length);
  for (const [block, count] of model.references) expect(pool.references(block)).toBe(count);
  for (const block of model.idle) expect([pool.references(block), pool.isIdle(block)]).toEqual([0, true]);
}

const commands = fc.array(
  fc.oneof(
    fc.constant({ type: "allocate" } as const),
    fc.record({ type: fc.constant("release" as const), which: fc.nat(100) }),
    fc.record({ type: fc.constant("retain" as const), which: fc.nat(100) }),
    fc.record({ type: fc.constant("publish" as const), which: fc.nat(100), key: fc.constantFrom("a", "b", "c", "d") }),
    fc.record({ type: fc.constant("find" as const), key: fc.constantFrom("a", "b", "c", "d") }),
    fc.constant({ type: "forget" } as const),
  ),
  { maxLength: 60 },
);

test("behaves as the plain model", () => {
  fc.assert(
    fc.property(commands, (list) => {
      const [pool, model] = [new BlockPool(size), new Model()];
      for (const command of list) {
        const used = [...model.references.keys()];
        const pick = (which: number, from: readonly number[]) => from[which % from.length];
        if (command.type === "allocate") {
          const free = size - model.references.size - model.idle.length;
          const block = pool.allocate();
          if (free === 0 && model.idle.length === 0) expect(block).toBeUndefined();
          else {
            expect(model.references.has(block as number)).toBe(false);
            if (free === 0) expect(block).toBe(model.idle[0]);
            else expect(model.idle).not.toContain(block);
            if (free === 0) model.keys.delete(model.keyOf(model.idle.shift() as number) as string);
            model.references.set(block as number, 1);
          }
        } else if (command.type === "release") {
          const block = pick(command.which, used);
          if (block === undefined) continue;
          pool.release(block);
          const left = (model.references.get(block) as number) - 1;
          if (left > 0) model.references.set(block, left);
          else {
            model.references.delete(block);
            if (model.keyOf(block) !== undefined) model.idle.push(block);
          }
        } else if (command.type === "retain") {
          const block = pick(command.which, [...used, ...model.idle]);
          if (block === undefined) continue;
          pool.retain(block);
          if (model.idle.includes(block)) model.idle.splice(model.idle.indexOf(block), 1);
          model.references.set(block, (model.references.get(block) ?? 0) + 1);
        } else if (command.type === "publish") {
          const block = pick(command.which, used);
          if (block === undefined) continue;
          pool.publish(block, command.key);
          if (!model.keys.has(command.key) && model.keyOf(block) === undefined) model.keys.set(command.key, block);
        } else if (command.type === "find") {
          expect(pool.find(command.key)).toBe(model.keys.get(command.key));
        } else {
          pool.forget();
          model.keys.clear();
          model.idle.length = 0;
        }
        checkCounts(pool, model);
      }
    }),
    { numRuns: 2000 },
  );
});

test("refuses what would corrupt it", () => {
  const pool = new BlockPool(2);
  expect(() => pool.retain(0)).toThrow(/block 0 is free/);
  const block = pool.allocate() as number;
  pool.release(block);
  expect(() => pool.release(block)).toThrow(/was released already/);
  expect(() => pool.publish(block, "a")).toThrow(/is not used/);
});
