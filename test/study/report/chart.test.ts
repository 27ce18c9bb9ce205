import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { bytesText } from "../../../src/charts/quantity.ts";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { learningRateChart, lossChart, paretoChart } from "../../../src/study/report/chart.ts";
import { expectToLoadNothing, textsOf } from "../../charts/svg-texts.ts";
import { madeResult, madeStudy } from "../numbers/made-results.ts";

const losses = { "H64-MHA": 4.31, "H64-MHA-CLA2": 4.33, "H64-MQA": 4.36, "H64-MQA-CLA2": 4.37, "H32-MQA": 4.4 };
const names = Object.keys(losses);
const results = madeStudy(losses, { rates: [1e-3, 2e-3, 4e-3] });
const summary = summarize(results);

describe.each([
  ["pareto", (transparent: boolean) => paretoChart(summary, { transparent })],
  ["learning rate", (transparent: boolean) => learningRateChart(results, { transparent })],
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
  expect(textsOf(learningRateChart(results))).toEqual(expect.arrayContaining(["0.001", "0.002", "0.004"]));
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
    for (const svg of [paretoChart(rows), lossChart(rows), learningRateChart(few)]) {
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
  for (const svg of [paretoChart(summary), learningRateChart(results), lossChart(summary)]) {
    expect(execFileSync("rsvg-convert", ["-f", "png"], { input: svg }).subarray(1, 4).toString()).toBe("PNG");
  }
});
