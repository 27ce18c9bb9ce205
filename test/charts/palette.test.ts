import { expect, test } from "vitest";
import { caseColor, modelColors, slotColor } from "../../src/charts/palette.ts";

/** Contrast of two colours as WCAG defines it. */
function contrast(...colors: readonly [string, string]): number {
  const [dark, light] = colors.map(luminance).sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test("white text can be read on slots, and every mark be seen on the surfaces of both themes", () => {
  for (const i of [0, 1]) expect(contrast(slotColor(i), "#ffffff")).toBeGreaterThanOrEqual(4.5);
  const marks = [0, 1].map(slotColor).concat(Array.from({ length: 14 }, (_, i) => caseColor(i)));
  for (const mark of marks) {
    for (const surface of ["#ffffff", "#171b21", "#14171c"]) {
      expect([mark, surface, contrast(mark, surface) >= 3]).toEqual([mark, surface, true]);
    }
  }
});

test("models and slots have no colour in common", () => {
  const named = (own: number, shared: number) => [
    ...Array.from({ length: own }, (_, i) => ({ name: `own ${i}`, model: { sharing: [0, 1] } })),
    ...Array.from({ length: shared }, (_, i) => ({ name: `shared ${i}`, model: { sharing: [0, 0] } })),
  ];
  const colors = [...modelColors(named(5, 9)).values()];
  expect(new Set([...colors, slotColor(0), slotColor(1)]).size).toBe(5 + 9 + 2);
});
