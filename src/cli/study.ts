// `crosslayer study`: trains and compares the models of a plan, and writes the report.

import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { durationText, integerText, rateText } from "../charts/quantity.ts";
import { InputError } from "../error.ts";
import { deviceNames } from "../runtime/open-device.ts";
import { conversionPreset, loadConversionPlan } from "../study/conversion/conversion-plan.ts";
import { conclude } from "../study/numbers/conclusions.ts";
import type { Result } from "../study/numbers/result.ts";
import { evaluationsText } from "../study/report/evaluation-table.ts";
import { finding } from "../study/report/finding.ts";
import { writeOutputs } from "../study/report/outputs.ts";
import { terminalTable } from "../study/report/table.ts";
import { terminalChart } from "../study/report/terminal-chart.ts";
import { loadPlan, type StudyPlan } from "../study/trials/plan.ts";
import { presets } from "../study/trials/presets.ts";
import { resultsPath, type StudyEvent, sweep } from "../study/trials/sweep.ts";
import { recipeSchema } from "../train/recipe.ts";
import { interruptible } from "./interrupt.ts";
import { whole } from "./numbers.ts";
import { option } from "./option.ts";
import { corpusProgress, type Progress, progress } from "./progress.ts";
import { runConversionStudy } from "./study-conversion.ts";
import { mergeCommand } from "./study-merge.ts";

const presetNames = [...Object.keys(presets), conversionPreset.name];

interface Flags {
  preset?: string;
  seeds?: number;
  out?: string;
  threads?: number;
  device?: string;
}

/** The subcommand. */
export function studyCommand(): Command {
  return new Command("study")
    .description("train the models of a plan, compare quality with KV cache bytes, write a report; killed, it goes on")
    .argument("[plan]", "a preset or a JSON file, as --preset")
    .option("--preset <name|file>", `${presetNames.join(", ")}, or a JSON file like them`)
    .option("--seeds <count>", "runs of each model, with seeds 1 to count", whole(1, 1000))
    .option("--out <directory>", "where results go (default: runs/<the plan's name>)")
    .addOption(option(recipeSchema, "threads", "<count>", { told: "all cores" }))
    .option("--device <names>", "cuda, or cuda:0,1 for a run on each card at a time (default: cpu)")
    .addCommand(mergeCommand())
    .action(runStudy);
}

async function runStudy(positional: string | undefined, flags: Flags): Promise<void> {
  const asked = flags.preset ?? positional;
  if (asked === undefined || (flags.preset !== undefined && positional !== undefined)) {
    throw new InputError(`study: name one plan: --preset ${presetNames.join("|")}, or a JSON file`);
  }
  const conversion = await loadConversionPlan(asked);
  if (conversion) {
    if (flags.seeds !== undefined) throw new InputError("study: one of conversion has one seed; leave out --seeds");
    return runConversionStudy(conversion, { asked, ...flags });
  }
  const loaded = await loadPlan(asked);
  const seeds = flags.seeds;
  const plan: StudyPlan =
    seeds === undefined ? loaded : { ...loaded, seeds: Array.from({ length: seeds }, (_, i) => i + 1) };
  const directory = flags.out ?? join("runs", plan.name);
  const start = performance.now();
  await interruptible(async (signal) => {
    const results = await watch(plan, directory, flags, signal);
    if (!results) {
      console.error(`stopped; the same command goes on (${resultsPath(directory)} keeps what is finished)`);
      return;
    }
    const duration = Math.max(
      (performance.now() - start) / 1000,
      results.reduce((sum, { seconds }) => sum + seconds, 0),
    );
    const command = `npx crosslayer study ${asked}${seeds === undefined ? "" : ` --seeds ${seeds}`} --out ${directory}`;
    const files = await writeOutputs(directory, results, { plan, command, duration });
    show(results, plan, [...files, resultsPath(directory)]);
    console.log(`Ask its models, and see what their caches hold: npx crosslayer serve --study ${directory}`);
  });
}

async function watch(plan: StudyPlan, directory: string, { threads, device }: Flags, signal: AbortSignal) {
  const events = sweep(plan, {
    directory,
    signal,
    threads,
    devices: device === undefined || device === "cpu" ? undefined : deviceNames(device),
    onCorpus: corpusProgress(plan.data.source).onProgress,
  });
  let bar: Progress | undefined;
  for (;;) {
    const next = await events.next();
    if (next.done) {
      bar?.stop();
      return next.value;
    }
    bar = tell(next.value, bar);
  }
}

function tell(event: StudyEvent, bar: Progress | undefined): Progress | undefined {
  if (event.kind === "trial") {
    const { name, recipe } = event.trial;
    const label = `[${event.done + 1}/${event.atLeast}] ${name.padEnd(14)} lr ${rateText(recipe.learningRate)} seed ${recipe.seed}`;
    return progress(label, recipe.steps);
  }
  if (event.kind === "step") {
    const { step, loss, tokensPerSecond } = event.step;
    bar?.update(step, `loss ${loss.toFixed(3)}  ${integerText(tokensPerSecond)} tok/s`);
    return bar;
  }
  bar?.stop();
  const { name, learningRate, seed, validation, seconds } = event.result;
  const quality = `validation perplexity ${validation.perplexity.toFixed(2)}, ${validation.bitsPerByte.toFixed(3)} bits/byte`;
  const note = event.skipped ? "done before" : durationText(seconds);
  console.error(`${pc.green("✓")} ${name}, lr ${rateText(learningRate)}, seed ${seed}: ${quality} (${note})`);
  return undefined;
}

function show(results: readonly Result[], { contrasts }: StudyPlan, files: readonly string[]): void {
  const concluded = conclude(results, contrasts);
  const { summary } = concluded;
  console.log(`\n${terminalTable(summary)}\n\n${terminalChart(summary)}\n`);
  const evaluations = evaluationsText(summary);
  if (evaluations !== "") console.log(`${evaluations}\n`);
  for (const { name, sample } of summary) {
    if (sample !== undefined) console.log(`${pc.bold(name)} writes: ${sample.replace(/\s+/g, " ").trim()}\n`);
  }
  console.log(`${finding(concluded).join("\n")}\n`); // after all that is long: what a screen ends with
  console.log(`Written: ${files.join(", ")}`);
}
