import { describe, expect, test } from "vitest";
import { blockGrid, blockPath } from "../../src/charts/block-grid.ts";
import { memoryPicture } from "../../src/charts/memory-picture.ts";
import { modelColors, slotColor } from "../../src/charts/palette.ts";
import { commonMemory } from "../../src/charts/same-memory.ts";
import { textsOf } from "./svg-texts.ts";

describe("blocks as a grid", () => {
  test("fill the same rectangle however many they are", () => {
    for (let count = 1; count < 3000; count = Math.ceil(count * 1.1)) {
      for (const [width, height] of [
        [400, 160],
        [300, 40],
        [120, 300],
      ] as const) {
        const { columns, rows, cellWidth, cellHeight } = blockGrid(count, width, height);
        expect(columns * rows).toBeGreaterThanOrEqual(count);
        expect(columns * (rows - 1)).toBeLessThan(count); // no row is empty
        expect(columns * cellWidth).toBeCloseTo(width);
        expect(rows * cellHeight).toBeCloseTo(height);
        if (count > 60) expect(Math.abs(Math.log(cellWidth / cellHeight))).toBeLessThan(1);
      }
    }
  });

  test("are drawn one by one", () => {
    const grid = blockGrid(10, 100, 40);
    expect(blockPath(grid, 0, 10).split("M").length - 1).toBe(10);
    expect(blockPath(grid, 0, 4) + blockPath(grid, 4, 10)).toBe(blockPath(grid, 0, 10));
    expect(blockPath(grid, 3, 3)).toBe("");
  });
});

test("the same memory holds twice as many blocks of half the bytes", () => {
  const rows = [
    { name: "large", kvBytesPerToken: 2048 },
    { name: "half", kvBytesPerToken: 1024 },
  ];
  const memory = commonMemory(rows);
  expect(memory).toBe(1024 * 1024);
  const svg = memoryPicture(rows, new Map([["large", "#111111"]]));
  const counts = [...svg.matchAll(/ d="([^"]+)"/g)].map(([, d]) => (d as string).split("M").length - 1);
  expect(counts[1]).toBe(2 * (counts[0] as number));
  expect(textsOf(svg)).toEqual(expect.arrayContaining(["large", "512 tokens", "half", "1,024 tokens"]));
});

test("a model's colour says whether its layers share, and is no slot's", () => {
  const models = Array.from({ length: 6 }, (_, i) => ({ name: `m${i}`, model: { sharing: i % 2 ? [0, 0] : [0, 1] } }));
  const colors = modelColors([...models, ...models]);
  expect(colors.size).toBe(6);
  expect(new Set(colors.values()).size).toBe(6);
  const [own, shared] = [
    modelColors(models.filter((_, i) => i % 2 === 0)),
    modelColors(models.filter((_, i) => i % 2)),
  ];
  for (const [name, color] of [...own, ...shared]) expect(colors.get(name)).toBe(color);
  for (let i = 0; i < 4; i++) expect([...colors.values()]).not.toContain(slotColor(i));
});
