import { expect, test } from "vitest";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { markdownTable, terminalTable } from "../../../src/study/report/table.ts";
import { terminalChart } from "../../../src/study/report/terminal-chart.ts";
import { madeResult, madeStudy } from "../numbers/made-results.ts";

const study = madeStudy({ "H64-MHA": 4.31, "H64-MQA": 4.36, "H64-MQA-CLA2": 4.37, "H32-MQA": 4.4 });
const summary = summarize(study);

test("the terminal's table", () => {
  expect(terminalTable(summary)).toMatchInlineSnapshot(`
    "model         KV B/token  params     LR  seeds    perplexity  bits/byte  front
    ──────────────────────────────────────────────────────────────────────────────
    H64-MHA           16,384   6.23M  0.001      3  75.89 ± 0.37     1.6015    ●
    H64-MQA            4,096   5.45M  0.001      3  79.89 ± 0.61     1.6205    ●
    H64-MQA-CLA2       2,048   5.31M  0.001      3  80.58 ± 0.44     1.6237    ●
    H32-MQA            2,048   5.31M  0.001      3  83.10 ± 0.48     1.6351"
  `);
});

test("it fits 80 columns with names of usual length", () => {
  for (const line of terminalTable(summary).split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
});

test("Markdown has the same cells, and escapes what would end one", () => {
  expect(markdownTable(summary)).toMatchInlineSnapshot(`
    "| model | KV B/token | params | LR | seeds | perplexity | bits/byte | front |
    |---|--:|--:|--:|--:|--:|--:|:-:|
    | H64-MHA | 16,384 | 6.23M | 0.001 | 3 | 75.89 ± 0.37 | 1.6015 | ● |
    | H64-MQA | 4,096 | 5.45M | 0.001 | 3 | 79.89 ± 0.61 | 1.6205 | ● |
    | H64-MQA-CLA2 | 2,048 | 5.31M | 0.001 | 3 | 80.58 ± 0.44 | 1.6237 | ● |
    | H32-MQA | 2,048 | 5.31M | 0.001 | 3 | 83.10 ± 0.48 | 1.6351 |  |"
  `);
  const odd = summarize([{ ...madeResult({ name: "H64-MQA", loss: 4 }), name: "a|b" }]);
  expect(markdownTable(odd)).toContain("| a\\|b |");
});

test("a run that diverged says so", () => {
  expect(markdownTable(summarize([madeResult({ name: "H64-MQA", loss: Number.NaN })]))).toContain("| diverged |");
});

test("the terminal's chart", () => {
  expect(terminalChart(summary)).toMatchInlineSnapshot(`
    "validation perplexity
      83.62 ┤
            │ ○ H32-MQA
            │
            │
      81.56 ┤
            │
            │ ● H64-MQA-CLA2
            │                     ● H64-MQA
      79.50 ┤
            │
            │
            │
      77.44 ┤
            │
            │
            │                                                     H64-MHA ●
      75.38 ┤
            └─┴───────────────────┴───────────────────────────────────────┴─
             2 KiB              4 KiB                                 16 KiB
             KV cache, bytes per token (float32, log scale)
             ● on the front   ○ another model is as small and as good"
  `);
});

test("it is plain text of 72 columns, and names every model, however many", () => {
  const many = [
    "H64-MHA",
    "H64-MQA",
    "H32-MQA",
    "H16-MQA",
    "H64-MQA-CLA2",
    "H64-MQA-CLA3",
    "H64-MQA-CLA4",
    "H32-MQA-CLA2",
    "H64-MQA-CLA2-KeepEnds",
    "H64-MQA-CLA2-DenseFront",
    "H64-MQA-CLA2-DenseBack",
  ];
  for (const step of [0, 0.0001, 0.01, 1]) {
    const rows = summarize(many.map((name, i) => madeResult({ name, loss: 4 + ((i * 5) % 11) * step })));
    const chart = terminalChart(rows);
    for (const name of many) expect(chart.split(/[\s:]+/)).toContain(name);
    for (const line of chart.split("\n")) expect([...line].length).toBeLessThanOrEqual(72);
    expect(chart).not.toMatch(/NaN|undefined/);
    expect(chart.includes("\x1b")).toBe(false);
  }
});

test("nothing to draw is said", () => {
  expect(terminalChart([])).toMatch(/No model/);
  expect(terminalChart(summarize([madeResult({ name: "H64-MQA", loss: Number.NaN })]))).toMatch(/No model/);
});
