import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { modelColors } from "../../../src/charts/palette.ts";
import { bytesText } from "../../../src/charts/quantity.ts";
import { paperContrasts } from "../../../src/study/numbers/sized-contrasts.ts";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { learningRateChart, lossChart, paretoChart } from "../../../src/study/report/chart.ts";
import { probeCharts } from "../../../src/study/report/probe-chart.ts";
import { sizeChart } from "../../../src/study/report/size-chart.ts";
import { parabolaBest } from "../../../src/study/trials/rate-search.ts";
import { expectToLoadNothing, textsOf } from "../../charts/svg-texts.ts";
import { madeResult, madeStudy } from "../numbers/made-results.ts";

const losses = { "H64-MHA": 4.31, "H64-MHA-CLA2": 4.33, "H64-MQA": 4.36, "H64-MQA-CLA2": 4.37, "H32-MQA": 4.4 };
const names = Object.keys(losses);
const results = madeStudy(losses, { rates: [1e-3, 2e-3, 4e-3] });
const summary = summarize(results);

const probed = results.map((result) => ({
  ...result,
  probes: [
    {
      context: 512,
      windows: 8,
      position: [0, 1, 2, 4].map((from) => ({
        from,
        to: from * 2 || 1,
        loss: { value: result.validation.loss + 1 / (from + 1) },
      })),
      copying: {
        repeated: { value: result.validation.loss - 1, tokens: 90 },
        others: { value: result.validation.loss + 1, tokens: 910 },
      },
      retrieval: [32, 256].map((distance) => ({
        distance,
        loss: { value: 3 + distance / 512 },
        control: { value: 5 },
        accuracy: { value: 0.1 },
      })),
    },
  ],
}));
const probedSummary = summarize(probed);
const probeChart = (index: number, width?: number) => (transparent: boolean) =>
  probeCharts(probedSummary, { transparent, ...(width === undefined ? {} : { width }) }, modelColors(probedSummary))[
    index
  ]?.svg as string;

describe.each([
  ["position", probeChart(0)],
  ["copying", probeChart(1)],
  ["retrieval", probeChart(2)],
  ["narrow position", probeChart(0, 350)],
  ["narrow retrieval", probeChart(2, 350)],
  ["narrow loss", (transparent: boolean) => lossChart(summary, { transparent, width: 350 })],
  [
    "narrow learning rate",
    (transparent: boolean) => learningRateChart(results, summarize(results), { transparent, width: 350 }),
  ],
  ["pareto", (transparent: boolean) => paretoChart(summary, { transparent })],
  ["narrow pareto", (transparent: boolean) => paretoChart(summary, { transparent, width: 350 })],
  ["learning rate", (transparent: boolean) => learningRateChart(results, summarize(results), { transparent })],
  ["loss", (transparent: boolean) => lossChart(summary, { transparent })],
] as const)("the %s chart", (_, drawn) => {
  test("stands on its own, names every model once, and draws numbers only", () => {
    for (const transparent of [false, true]) {
      const svg = drawn(transparent);
      expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
      expectToLoadNothing(svg);
      expect(svg).not.toMatch(/NaN|undefined|Infinity|\[object/);
      for (const name of names) expect(textsOf(svg).filter((text) => text === name)).toHaveLength(1);
    }
  });

  test("keeps its text inside", () => {
    const svg = drawn(false);
    const [width, height] = (/viewBox="0 0 (\d+) (\d+)"/.exec(svg) as RegExpExecArray).slice(1).map(Number) as [
      number,
      number,
    ];
    const placed = svg.matchAll(
      /<text(?=[^>]* x="([\d.-]+)")(?=[^>]* y="([\d.-]+)")(?=[^>]* text-anchor="(\w+)")[^>]*>([^<]*)/g,
    );
    const read: (string | undefined)[] = [];
    for (const [, x, y, anchor, text] of placed) {
      read.push(text);
      const long = (text as string).length * 12 * 0.64;
      const start = Number(x) - (anchor === "end" ? long : anchor === "middle" ? long / 2 : 0);
      expect(start, text).toBeGreaterThanOrEqual(0);
      expect(start + long, text).toBeLessThanOrEqual(width);
      expect(Number(y)).toBeLessThan(height);
    }
    expect(read).toEqual(expect.arrayContaining(names));
  });

  test("has a background only if not transparent", () => {
    expect(drawn(false)).toContain('width="100%"');
    expect(drawn(true)).not.toContain('width="100%"');
    expect(drawn(true)).not.toMatch(/fill="#ffffff"/);
  });
});

test("filled points of the Pareto chart are the front's", () => {
  const svg = paretoChart(summary);
  const marks = [...svg.matchAll(/<circle(?=[^>]* fill="([^"]+)")/g)].map(([, fill]) => fill);
  const hollow = marks.filter((fill) => fill === "#ffffff").length;
  expect(hollow).toBe(1 + summary.filter(({ onFront }) => !onFront).length); // the legend has one
  expect(marks).toHaveLength(3 + summary.length);
});

test("bytes are on the axis, rates under their points", () => {
  expect(textsOf(paretoChart(summary))).toEqual(expect.arrayContaining([2048, 4096, 8192, 16384].map(bytesText)));
  expect(textsOf(learningRateChart(results, summarize(results)))).toEqual(
    expect.arrayContaining(["0.001", "0.002", "0.004"]),
  );
});

test("runs that diverged are left out of every chart, one model or none is drawn", () => {
  const diverged = madeResult({ name: "H64-MQA", loss: Number.NaN });
  for (const few of [
    [],
    [diverged],
    [madeResult({ name: "H32-MQA", loss: 4 })],
    [diverged, madeResult({ name: "H32-MQA", loss: 4 })],
  ]) {
    const rows = summarize(few);
    for (const svg of [paretoChart(rows), lossChart(rows), learningRateChart(few, summarize(few))]) {
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      expect(textsOf(svg)).not.toContain("H64-MQA");
    }
  }
});

test("training loss is drawn, and said so, where no validation loss was taken on the way", () => {
  const plain = results.map((result) => ({ ...result, curve: result.curve.map(({ step, loss }) => ({ step, loss })) }));
  expect(textsOf(lossChart(summarize(plain))).join()).toContain("training loss");
  expect(textsOf(lossChart(summary)).join()).toContain("validation loss");
});

test("names are escaped", () => {
  const odd = results.map((result) => ({ ...result, name: `<${result.name}> & "co"` }));
  const svg = paretoChart(summarize(odd));
  expect(svg).not.toContain("<H64");
  expect(textsOf(svg)).toContain('<H64-MQA> & "co"');
});

test("another renderer takes them, where it is installed", ({ skip }) => {
  try {
    execFileSync("rsvg-convert", ["--version"]);
  } catch {
    skip();
  }
  for (const svg of [paretoChart(summary), learningRateChart(results, summarize(results)), lossChart(summary)]) {
    expect(execFileSync("rsvg-convert", ["-f", "png"], { input: svg }).subarray(1, 4).toString()).toBe("PNG");
  }
});

describe("the rate chart's chosen rates", () => {
  const tuned = (learningRate: number, loss: number) => ({
    ...madeResult({ name: "H64-MQA", loss, seed: 101, learningRate }),
    purpose: "tuning" as const,
  });
  const tried = [tuned(0.001, 4.1), tuned(0.002, 4), tuned(0.004, 4.04)];
  const filled = (chosen: number) => {
    const runs = [...tried, madeResult({ name: "H64-MQA", loss: 4, learningRate: chosen })];
    const svg = learningRateChart(runs, summarize(runs));
    return [...svg.matchAll(/<circle(?=[^>]* cx="([\d.]+)")(?=[^>]* fill="#(?!ffffff))/g)].map(([, x]) => Number(x));
  };

  test("are filled where they were tried", () => {
    expect(filled(0.002)).toHaveLength(1);
  });

  test("are filled between those that were tried, where a parabola chose them", () => {
    const { rate, loss } = parabolaBest(tried.map((run) => ({ rate: run.learningRate, loss: run.validation.loss })));
    // Through (−1, 4.1), (0, 4), (1, 4.04) over the rates' base-2 logarithms: 0.07 x² − 0.03 x + 4.
    expect(rate).toBeCloseTo(0.002 * 2 ** (3 / 14), 6);
    expect(loss).toBeCloseTo(4 - 0.03 ** 2 / (4 * 0.07), 9);
    expect(filled(rate)).toHaveLength(1);
    expect(filled(rate)[0]).toBeGreaterThan(filled(0.002)[0] as number);
  });
});

test("nothing probed, nothing drawn", () => {
  expect(probeCharts(summary, {}, modelColors(summary))).toEqual([]);
});

test("contrasts against size: every point and its label, intervals where there are any", () => {
  const ours = { kind: "twin", parameters: 8e6, difference: 0.01, interval: [-0.01, 0.03], label: "ours" } as const;
  const svg = sizeChart([ours, ...paperContrasts]);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  expect(textsOf(svg).filter((text) => text === "ours")).toHaveLength(1);
  expect(textsOf(svg).filter((text) => text === "paper, 1B")).toHaveLength(2);
  expect(svg.match(/<circle/g)).toHaveLength(1 + paperContrasts.length + 2); // two are the legend's
});

test("the paper's contrasts are its perplexities'", () => {
  const [cost, against] = paperContrasts.map(({ difference }) => difference);
  expect(cost).toBeCloseTo(0.0032, 4); // 12.43 and 12.39
  expect(against).toBeCloseTo(-0.0246, 4); // 12.43 and 12.74
});
