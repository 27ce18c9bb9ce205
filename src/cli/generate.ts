// `crosslayer generate`: a run writes on, one prompt as it comes or a file of prompts all at once.

import { statSync } from "node:fs";
import { Command } from "commander";
import pc from "picocolors";
import { bytesText, integerText } from "../charts/quantity.ts";
import { noTextSettings } from "../checkpoint/text-settings.ts";
import type { EngineStats } from "../engine/stats.ts";
import { InputError } from "../error.ts";
import { readWholeText } from "../files/regular-file.ts";
import { Engine, EngineCrash } from "../generate/engine.ts";
import { engineOptions } from "../generate/engine-options.ts";
import type { Chunk, GenerateOptions, TokenLogprob } from "../generate/request.ts";
import { askedRun, checkNoStudy } from "./asked-run.ts";
import {
  type EngineFlags,
  engineFlags,
  engineOptionsOf,
  type SamplingFlags,
  samplingFlags,
  samplingOf,
} from "./engine-options.ts";
import { interruptible } from "./interrupt.ts";
import { OutputRows } from "./output-rows.ts";
import { progress } from "./progress.ts";
import { openPrompts } from "./prompts.ts";

interface Flags extends EngineFlags, SamplingFlags {
  jsonSchema?: string;
  prompt?: string;
  file?: string;
  out?: string;
}

/** The subcommand. */
export function generateCommand(): Command {
  const command = new Command("generate")
    .description("let a run write on after a prompt, as it comes, or after every prompt of a file")
    .argument("<run>", "a run's directory")
    .argument("[prompt]", "the text to go on from")
    .option("--prompt <text>", "the same as an option")
    .option("--json-schema <file>", "write only JSON that this schema allows")
    .option("--file <prompts.jsonl>", 'many prompts at once: lines of {"prompt": "…"} and options of their own')
    .option(
      "--out <file.jsonl>",
      "where --file's texts go (default: standard output); what is there already is kept, if made with the same options",
    );
  return engineFlags(samplingFlags(command)).action(runGenerate);
}

async function runGenerate(path: string, argument: string | undefined, flags: Flags): Promise<void> {
  checkNoStudy(path);
  const given = [argument, flags.prompt, flags.file].filter((text) => text !== undefined);
  if (given.length > 1) throw new InputError("generate: give one of a prompt, --prompt and --file");
  if (flags.out !== undefined && flags.file === undefined) throw new InputError("generate: --out needs --file");
  if (flags.out !== undefined && flags.file !== undefined && isSameFile(flags.out, flags.file)) {
    throw new InputError(`generate: --out ${flags.out} is --file's own file, which would be lost; choose another`);
  }
  const prompts = flags.file === undefined ? undefined : await openPrompts(flags.file); // told before a model is loaded
  const options: GenerateOptions = { ...samplingOf(flags), ...formatOf(flags.jsonSchema) };
  await using rows = prompts && (await OutputRows.open(flags.out, await aboutRows(path, flags, options)));
  const { maxSequences } = engineOptions(engineOptionsOf(flags));
  await using engine = await Engine.load(path, engineOptionsOf(flags));
  await interruptible((signal) =>
    prompts && rows
      ? writeAll(engine, prompts, rows, { options, lanes: 2 * maxSequences }, signal)
      : writeOne(engine, argument ?? flags.prompt ?? "", options, signal),
  );
}

/** What rows are made with, as far as their texts depend on it. @throws InputError if there is no run. */
async function aboutRows(path: string, flags: Flags, options: GenerateOptions): Promise<object> {
  const run = await askedRun(path);
  const { kvDtype, weights, context, ropeScaling } = engineOptions(engineOptionsOf(flags));
  return {
    run: { name: run.config.name, weights: await run.weightsMark(), ...(run.texts !== noTextSettings && run.texts) },
    engine: { kvDtype, weights, context, ropeScaling },
    options,
  };
}

/** Whether two paths lead to one file, by links too. */
function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [one, other].map((path) => statSync(path, { bigint: true }));
    return a?.dev === b?.dev && a?.ino === b?.ino;
  } catch {
    return false; // one is not there yet, or cannot be read, which is told where it is opened
  }
}

/** What `--json-schema` demands. @throws InputError if the file holds no JSON object. */
function formatOf(path: string | undefined): Pick<GenerateOptions, "format"> {
  if (path === undefined) return {};
  try {
    const jsonSchema: unknown = JSON.parse(readWholeText(path));
    if (typeof jsonSchema !== "object" || jsonSchema === null) throw new TypeError("it holds no JSON object");
    return { format: { jsonSchema } };
  } catch (error) {
    throw new InputError(`--json-schema: ${path} cannot be read: ${(error as Error).message}`);
  }
}

async function writeOne(engine: Engine, prompt: string, options: GenerateOptions, signal: AbortSignal): Promise<void> {
  const { n = 1 } = options;
  const texts = Array.from({ length: n }, () => "");
  const streaming = n === 1;
  let begun = false;
  let tokens = 0;
  for await (const { index, text, tokens: ids, logprobs } of engine.generate(prompt, { ...options, signal })) {
    tokens += ids.length;
    if (streaming && !begun) process.stdout.write(prompt);
    begun = true;
    texts[index] += text;
    if (streaming) process.stdout.write(text);
    for (const { token, text, logprob, top } of logprobs ?? []) {
      const others = top.map((other) => `${JSON.stringify(other.text)} ${other.logprob.toFixed(3)}`).join(", ");
      console.error(pc.dim(`${token} ${JSON.stringify(text)} ${logprob.toFixed(3)}${others && `  of ${others}`}`));
    }
  }
  if (streaming) process.stdout.write("\n");
  else for (const [i, text] of texts.entries()) console.log(`${pc.dim(`[${i}]`)} ${prompt}${text}`);
  console.error(pc.dim(summary(engine, tokens)));
}

async function writeAll(
  engine: Engine,
  prompts: Awaited<ReturnType<typeof openPrompts>>,
  rows: OutputRows,
  { options, lanes }: { options: GenerateOptions; lanes: number },
  signal: AbortSignal,
): Promise<void> {
  const left = prompts.filter((prompt) => !rows.has(prompt));
  if (left.length < prompts.length) {
    console.error(
      `${integerText(prompts.length - left.length)} of ${integerText(prompts.length)} prompts are done already`,
    );
  }
  const shown = progress("prompts", prompts.length, prompts.length - left.length);
  let done = prompts.length - left.length;
  let refused = 0;
  let tokens = 0;
  const next = left.values();
  // More requests than sequences run at a time, so that the engine never waits for this loop.
  const writers = Array.from({ length: lanes }, async () => {
    for (const { index, prompt, options: own } of next) {
      const found = await textsOf(engine.generate(prompt, { ...options, ...own, signal })).catch(refusal);
      if (signal.aborted) return;
      if ("error" in found) refused++;
      else tokens += found.texts.reduce((sum, text) => sum + text.tokens, 0);
      const asked = Object.keys(own).length > 0 ? { options: own } : {};
      await rows.write({ index, prompt, ...asked, ...found });
      const { decodeRate, running } = engine.stats();
      shown.update(++done, `${integerText(decodeRate)} tokens/s, ${running} at a time`);
    }
  });
  try {
    await Promise.all(writers);
  } finally {
    shown.stop();
    await rows.close();
  }
  console.error(pc.dim(summary(engine, tokens)));
  if (refused > 0) {
    throw new InputError(`generate: ${refused} of the prompts were refused or failed; their rows say why`);
  }
}

/** The texts of a request, whole. */
async function textsOf(chunks: AsyncIterable<Chunk>) {
  const texts: { text: string; tokens: number; finishReason?: string; logprobs?: TokenLogprob[] }[] = [];
  for await (const { index, text, tokens, finishReason, logprobs } of chunks) {
    texts[index] ??= { text: "", tokens: 0 };
    const entry = texts[index] as (typeof texts)[number];
    entry.text += text;
    entry.tokens += tokens.length;
    if (finishReason) entry.finishReason = finishReason;
    if (logprobs) entry.logprobs = [...(entry.logprobs ?? []), ...logprobs];
  }
  return { texts };
}

/** What the row of a prompt says that is refused or fails; the others are no worse for it. @throws what ends them all. */
function refusal(error: unknown): { error: string } {
  if (error instanceof EngineCrash || !(error instanceof Error)) throw error;
  return { error: error.message };
}

function summary(engine: Engine, tokens: number): string {
  const { decodeRate, prefillRate, blocks, kvBytes }: EngineStats = engine.stats();
  const { kvTokens, kvDtype } = engine.info;
  return [
    `${integerText(tokens)} tokens, ${integerText(decodeRate)} tokens/s (prompts ${integerText(prefillRate)} tokens/s)`,
    `KV cache ${bytesText(kvBytes)} of ${kvDtype} for ${integerText(kvTokens)} tokens, ${integerText(blocks.total)} blocks`,
  ].join("; ");
}
