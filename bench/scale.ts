// The study at scale from its results: writes each plan's pictures, tables and report, and the tables in the README and in
// docs/results/scale/README.md, between the marks `<!-- NAME -->` and `<!-- /NAME -->`. Trains nothing.
// `npx tsx bench/scale.ts`

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownOf } from "../src/charts/markdown.ts";
import { estimateText, integerText, rateText } from "../src/charts/quantity.ts";
import { contrasts } from "../src/study/numbers/contrasts.ts";
import { type Result, readResults, reported } from "../src/study/numbers/result.ts";
import { sizedContrasts } from "../src/study/numbers/sized-contrasts.ts";
import { learningRateSweep, type SummaryRow, summarize } from "../src/study/numbers/summary.ts";
import { writeOutputs } from "../src/study/report/outputs.ts";
import { markdownTable } from "../src/study/report/table.ts";
import { loadPlan, type StudyPlan } from "../src/study/trials/plan.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs/results/scale");
/** What is compared across the two plans of one size: equal bytes or equal parameters. Declared before the second plan's second seed. */
const across = [
  { model: "H128-MQA-CLA2", against: "H64-MQA" },
  { model: "H64-MQA-CLA2-MLP728", against: "H64-MQA", margin: 0.02 },
  { model: "H64-MQA-CLA2-MLP728", against: "H32-MQA" },
];
/** Plans, and where their pictures and tables go: the README's first. */
const places = { s: folder, "s-size": join(folder, "s-size"), m: join(folder, "m") };

const all = await readResults(join(folder, "results.jsonl"));
const studies = [];
for (const [name, place] of Object.entries(places)) {
  const plan = await loadPlan(join(folder, `${name}.json`));
  const results = wholeSeeds(all.filter((result) => isOf(plan, result)));
  const summary = summarize(results);
  if (summary.length === 0) continue;
  const found = contrasts(plan.contrasts ?? [], summary);
  studies.push({ name, place, plan, results, summary, found, sizes: sizedContrasts(found, summary) });
}
for (const { name, place, plan, results, summary } of studies) {
  const files = await writeOutputs(place, results, {
    plan,
    command: `crosslayer study docs/results/scale/${name}.json --seeds ${summary[0]?.seeds.length} --device cuda --out runs/${name}`,
    duration: results.reduce((sum, { seconds }) => sum + seconds, 0),
    otherSizes: studies.flatMap((other) => (other.name === name ? [] : other.sizes)),
  });
  console.log(files.join("\n"));
}
const regions: Record<string, string> = {};
for (const { name, results, summary, found } of studies) {
  regions[`${name} models`] = markdownTable(summary);
  regions[`${name} contrasts`] = found.map(({ sentence }) => `- ${sentence}`).join("\n");
  regions[`${name} losses`] = losses(summary);
  regions[`${name} rates`] = rates(results);
}
const sized = studies.filter(({ name }) => name === "s" || name === "s-size").flatMap(({ results }) => results);
const found = contrasts(across, summarize(wholeSeeds(sized)));
regions["s across"] =
  found.map(({ sentence }) => `- ${sentence}`).join("\n") || "- There is one such seed so far, which tells nothing.";
for (const file of [join(root, "README.md"), join(folder, "README.md")]) fill(file);

/** Whether a result is one that the plan asks for, or asked for before. */
function isOf({ models, family, context, recipe }: StudyPlan, { name, model, steps }: Result): boolean {
  const { layers, width } = model;
  const isSize = "layers" in family && family.layers === layers && family.width === width;
  return models.includes(name) && isSize && model.context === context && steps === recipe.steps;
}

/** Without the reported runs of seeds that not every model has. */
function wholeSeeds(results: readonly Result[]): Result[] {
  const models = new Set(results.map(({ name }) => name));
  const having = (seed: number) =>
    new Set(results.filter((run) => run.purpose !== "tuning" && run.seed === seed).map(({ name }) => name));
  return results.filter(({ purpose, seed }) => purpose === "tuning" || having(seed).size === models.size);
}

/** Every run's loss, a row a model. */
function losses(summary: readonly SummaryRow[]): string {
  const seeds = summary[0]?.seeds.join(", ");
  const heads = ["model", "KV B/token", "LR", `test loss, nats, seeds ${seeds}`, "mean ± standard error", "perplexity"];
  const rows = summary.map(({ name, kvBytesPerToken, learningRate, runs, loss, perplexity }) => [
    ...[name, integerText(kvBytesPerToken), rateText(learningRate)],
    runs.map((run) => reported(run).loss.toFixed(4)).join(", "),
    ...[estimateText(loss, 4), perplexity.mean.toFixed(2)],
  ]);
  return markdownOf(heads, rows, ["left", "right", "right", "left", "right", "right"]);
}

/** Mean validation loss of the tuning seeds at each learning rate, a column a model. */
function rates(results: readonly Result[]): string {
  const sweep = learningRateSweep(results);
  const [models, tried] = [new Set(sweep.map(({ name }) => name)), new Set(sweep.map(({ rate }) => rate))];
  const rows = [...tried]
    .sort((a, b) => a - b)
    .map((rate) => [
      rateText(rate),
      ...[...models].map((model) => {
        const runs = results.filter(
          (run) => run.purpose === "tuning" && run.name === model && run.learningRate === rate,
        );
        return runs.map(({ validation }) => validation.loss.toFixed(4)).join(", ");
      }),
    ]);
  const chosen = new Map(summarize(results).map(({ name, learningRate }) => [name, rateText(learningRate)]));
  rows.push(["**chosen**", ...[...models].map((model) => `**${chosen.get(model) ?? ""}**`)]);
  return markdownOf(["learning rate", ...models], rows, ["right", ...[...models].map(() => "right" as const)]);
}

function fill(file: string): void {
  let text = readFileSync(file, "utf8");
  for (const [name, content] of Object.entries(regions)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const at = text.indexOf(begin);
    if (at < 0) continue;
    text = `${text.slice(0, at)}${begin}\n${content}\n${text.slice(text.indexOf(end, at))}`;
  }
  writeFileSync(file, text);
}
