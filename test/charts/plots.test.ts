// What report and page draw alike, drawn bare.

import type { PlotOptions } from "@observablehq/plot";
import { expect, test } from "vitest";
import { draw } from "../../src/charts/drawing.ts";
import { lossPlot } from "../../src/charts/loss-plot.ts";
import { ratePlot } from "../../src/charts/rate-plot.ts";
import { tradeOffPlot } from "../../src/charts/trade-off-plot.ts";
import { textsOf } from "./svg-texts.ts";

const drawn = (plot: PlotOptions) => draw({ width: 600, height: 300, ...plot }, "a plot", {});
const countOf = (svg: string, part: string) => svg.split(part).length - 1;
const once = (mean: number) => ({ mean, standardError: 0.5, n: 2 });

test("a trade-off has room beside its points, bytes in binary units, and its models' colours", () => {
  const rows = [
    { kvBytesPerToken: 1024, perplexity: once(20), color: "#123456" },
    { kvBytesPerToken: 4096, perplexity: once(18), color: "#654321" },
  ];
  const plot = tradeOffPlot(rows, [], {
    color: ({ color }) => color,
    fractionBeside: 0.5,
    fractionAbove: 0,
    stairsOpacity: 1,
  });
  expect(plot.x.domain).toEqual([512, 8192]);
  expect(plot.y.domain).toEqual([17.5, 20.5]);
  const svg = drawn(plot);
  expect(textsOf(svg)).toEqual(expect.arrayContaining(["1 KiB", "4 KiB"]));
  for (const { color } of rows) expect(countOf(svg, `stroke="${color}"`)).toBe(1);
});

test("learning rates are ticks where something was tried, and nowhere else", () => {
  const points = [0.001, 0.004].map((rate) => ({ rate, loss: once(4) }));
  const lines = [{ color: "#123456", points }];
  const plot = ratePlot(lines, { fractionBeside: 0.1, fractionAbove: 0, lossTicks: 2, frameWidth: 500 });
  expect(plot.y.domain).toEqual([3.5, 4.5]);
  const texts = textsOf(drawn(plot));
  expect(texts).toEqual(expect.arrayContaining(["0.001", "0.004"]));
  expect(texts).not.toContain("0.002");
});

test("lines of losses are dashed while their runs are under way", () => {
  const points = [10, 20].map((step) => ({ step, loss: 5 - step / 10 }));
  const style = { ticks: { steps: 2, losses: 2 }, lineWidth: 1 };
  const line = { color: "#123456", points };
  expect(countOf(drawn(lossPlot([line, line], style)), "stroke-dasharray")).toBe(0);
  expect(countOf(drawn(lossPlot([line, { ...line, live: true }], style)), "stroke-dasharray")).toBe(1);
  expect(lossPlot([line], style).x.domain).toEqual([10, 20]);
});
