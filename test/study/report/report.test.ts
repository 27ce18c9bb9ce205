import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { modelColors } from "../../../src/charts/palette.ts";
import { estimateText, integerText } from "../../../src/charts/quantity.ts";
import { conclude } from "../../../src/study/numbers/conclusions.ts";
import { summarize } from "../../../src/study/numbers/summary.ts";
import { finding } from "../../../src/study/report/finding.ts";
import { type ReportOptions, report } from "../../../src/study/report/report.ts";
import { expectToLoadNothing } from "../../charts/svg-texts.ts";
import { madeStudy } from "../numbers/made-results.ts";

const results = madeStudy({ "H64-MQA": 4.31, "H64-MQA-CLA2": 4.33, "H32-MQA": 4.4 }, { rates: [1e-3, 2e-3] });
const options: ReportOptions = {
  title: "Half the <KV> cache & more",
  results,
  preset: { name: "demo", models: ["H64-MQA"], note: "</pre><script>alert(1)</script>" } as { name: string },
  command: 'npx crosslayer study --preset demo --out "a b" && echo <done>',
  versions: { crosslayer: "0.1.0", node: "20.20.2" },
  environment: { processor: "two <cores>" },
  duration: 290,
};
const html = report(options);
const { document } = parseHTML(html);
const page = document.body.textContent as string;

test("loads nothing and runs no script", () => {
  expectToLoadNothing(html.replace(/<pre>.*?<\/pre>/gs, ""));
  expect(document.querySelectorAll("script, link, img, iframe, object, embed")).toHaveLength(0);
});

test("text from outside stays text", () => {
  expect(document.querySelector("h1")?.textContent).toBe(options.title);
  expect(document.title).toBe(options.title);
  expect(page).toContain(options.command);
  expect(page).toContain("</pre><script>alert(1)</script>");
  expect(page).toContain("two <cores>");
  expect(page).toContain('The people of H64-MQA & <their> "union"…');
  expect(html).not.toMatch(/<their>|<KV>|<cores>|<done>|<script/);
});

test("numbers are the results'", () => {
  for (const row of summarize(results)) {
    const cells = [...document.querySelectorAll("tbody tr")]
      .map((line) => [...line.querySelectorAll("td")].map(({ textContent }) => textContent))
      .find(([name]) => name === row.name);
    expect(cells).toEqual(expect.arrayContaining([integerText(row.kvBytesPerToken), estimateText(row.perplexity)]));
  }
  const worse = results.map((result) => ({
    ...result,
    validation: { ...result.validation, perplexity: result.validation.perplexity * 2 },
  }));
  const doubled = report({ ...options, results: worse });
  const [row] = summarize(worse);
  expect(doubled).toContain(estimateText((row as NonNullable<typeof row>).perplexity));
  expect(html).not.toContain(estimateText((row as NonNullable<typeof row>).perplexity));
});

test("says which text the figures are of", () => {
  expect(page).toContain("validation loss");
  expect(html).toContain("↑ validation perplexity");
  const tested = report({ ...options, results: results.map((result) => ({ ...result, test: result.validation })) });
  expect(tested).toContain("↑ test perplexity");
  expect(tested).toContain("<dt>test loss</dt>");
  expect(tested).not.toContain("<dt>validation loss</dt>");
});

test("the cache's arithmetic is right", () => {
  expect(page).toContain("2 × 4 bytes × 1 KV head × 64 × 8 layers = 4,096 bytes");
  expect(page).toContain("8,192 tokens would take 32 MiB");
});

test("begins with what it found and the picture that this rests on", () => {
  const [heading, sentences, picture] = [...(document.querySelector(".opening") as Element).children];
  expect(heading?.tagName).toBe("H1");
  expect(sentences?.textContent).toBe(finding(conclude(results)).join(" "));
  expect(picture?.querySelector("svg")?.getAttribute("aria-label")).toMatch(/^Validation perplexity against KV cache/);
});

test("a model has one colour in all pictures, and slots have none of models", () => {
  const colors = modelColors(results);
  const pictures = [...document.querySelectorAll("svg")].map(({ outerHTML }) => outerHTML);
  expect(new Set(colors.values()).size).toBe(3);
  for (const color of colors.values()) {
    expect(pictures.map((svg) => svg.includes(color))).toEqual([
      ...new Array(8).fill(true),
      ...new Array(4).fill(false),
    ]);
  }
});

test("every part is there, once", () => {
  const titles = [...document.querySelectorAll("h2")].map(({ textContent }) => textContent);
  expect(titles).toEqual([
    "What the same memory holds",
    "In numbers",
    "What the study shows",
    "What it does not show",
    "Learning rates",
    "Training",
    "Who keeps keys and values",
    "What they write",
    "How to do it again",
    "Models in full",
  ]);
  expect(document.querySelectorAll("svg")).toHaveLength(2 * (4 + 2)); // each for screens and for phones; two sharings: none, and pairs
  expect(page).toContain("4 min 50 s in all");
  expect(page).toContain("20.20.2");
});

test("what was asked of twins and of equal caches stands against size, beside the paper's", () => {
  const contrasts = ["H64-MQA", "H32-MQA"].map((against) => ({ model: "H64-MQA-CLA2", against }));
  const asked = report({ ...options, contrasts });
  expect(asked).toContain("<h2>Against size</h2>");
  for (const label of [/>8 × \d+, 3 seeds</g, />paper, 1B</g]) expect(asked.match(label)).toHaveLength(2 * 2);
});

test("one learning rate needs no sweep, no samples no section, no results no table", () => {
  const plain = madeStudy({ "H64-MQA": 4.31 }, { seeds: [1] }).map((result) => ({ ...result, sample: undefined }));
  const small = report({ ...options, results: plain });
  expect(small).not.toContain("<h2>Learning rates</h2>");
  expect(small).not.toContain("<h2>What they write</h2>");
  expect(report({ ...options, results: [] })).toContain("There are no results yet.");
  expect(small).not.toMatch(/NaN|undefined/);
});
