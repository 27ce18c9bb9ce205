// A run as a folder that other projects load: config, weights in their layout, tokenizer.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Watch } from "../checkpoint/checked-writer.ts";
import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { encodeJson } from "../files/json-file.ts";
import { checkNewFolder, newFolder } from "../files/new-folder.ts";
import { layouts } from "../foreign/layouts.ts";
import { modelName } from "../model/model-name.ts";
import { writeCheckpoint } from "./checkpoint-files.ts";
import { dtypeOf, type FloatDtype, withDtype } from "./dtypes.ts";
import { laidOut } from "./laid-out.ts";
import { trainingFiles } from "./lm-engine.ts";
import { openWeights } from "./model-weights.ts";
import { cutsAlike, type Target, type TargetName, targetNames, targets, usualTarget } from "./targets.ts";
import { type TokenFiles, type TokenIds, tokenFiles } from "./token-files.ts";

/** What an export leaves open. */
export interface CheckpointOptions extends Watch {
  /** What to tell the model as; the one that most programs know, of those that it suits, if not said. */
  readonly target?: TargetName | undefined;
  /** What weights are rounded to; they stay as they are if not said. */
  readonly dtype?: FloatDtype | undefined;
  /** The most bytes of a file of weights. */
  readonly shardBytes?: number | undefined;
}

/** What an export has made. */
export interface Exported {
  readonly target: TargetName;
  /** Bytes of weights. */
  readonly bytes: number;
  /** What the files have otherwise than the run, in sentences. */
  readonly notes: readonly string[];
}

/** The most bytes of a file of weights, as transformers has it. */
const usualShardBytes = 5e9;

/**
 * Writes a run as a Hugging Face folder at `out`, which appears whole or not at all.
 * @throws InputError if the model does not suit the target, the run is damaged, or the place is taken.
 */
export async function exportHuggingFace(
  run: RunDirectory,
  out: string,
  options: CheckpointOptions = {},
): Promise<Exported> {
  return exportCheckpoint(run, out, options, () => ({}));
}

/** The same for the authors' engine, which trains it on: with the YAML of its training. @throws InputError likewise. */
export async function exportLmEngine(
  run: RunDirectory,
  out: string,
  options: CheckpointOptions = {},
): Promise<Exported> {
  return exportCheckpoint(run, out, { target: "crosslayer-2026", ...options }, trainingFiles);
}

async function exportCheckpoint(
  run: RunDirectory,
  out: string,
  { target: asked, dtype, shardBytes = usualShardBytes, ...watch }: CheckpointOptions,
  more: (run: RunDirectory, words: Readonly<Record<string, unknown>>) => Readonly<Record<string, string>>,
): Promise<Exported> {
  const { model } = run.config;
  const name = asked ?? usualTarget(model, run.tokenizer);
  const target: Target = targets[name];
  const reason = target.unsuited(model);
  if (reason !== undefined) {
    const others = targetNames.filter((other) => targets[other].unsuited(model) === undefined).join(", ");
    throw new InputError(`export: ${modelName(model)} cannot be told as ${name}: ${reason}; it can as ${others}`);
  }
  checkNewFolder(out);
  const tokens = await tokenFiles(run);
  await using stored = await openWeights(run);
  const adapted = await target.adapted(stored);
  const weights = withDtype(adapted, dtype);
  const tensors = laidOut(weights, layouts[target.layout]);
  const config = configOf(target, target.words(weights.config), tokens.ids, dtypeOf(tensors));
  return await newFolder(out, async (folder) => {
    const bytes = await writeCheckpoint(folder, tensors, { ...watch, shardBytes });
    await writeTokens(folder, tokens);
    for (const [path, text] of Object.entries(more(run, config))) await writeText(folder, path, text);
    for (const code of target.code ?? []) copyFileSync(codePath(code), join(folder, code));
    await writeAtomic(join(folder, "config.json"), [encodeJson(config)]);
    return {
      target: name,
      bytes,
      notes: [...foldNotes("folded" in adapted ? adapted.folded : 0), ...cutNotes(name, run.tokenizer)],
    };
  });
}

/** A config.json's fields: the model's, and those of tokens and type as the target's program wants them. */
function configOf(
  { layout }: Target,
  words: Readonly<Record<string, unknown>>,
  { begin, end, ends }: TokenIds,
  dtype: FloatDtype,
): Readonly<Record<string, unknown>> {
  // The authors' engine takes whole numbers alone, and the latest one no field that it does not know.
  if (layout.startsWith("crosslayer-")) {
    const ids = { bos_token_id: begin ?? end, eos_token_id: end, pad_token_id: end };
    return { ...words, ...ids, ...(layout !== "crosslayer-2026" && { torch_dtype: dtype }) };
  }
  // A row of padding is never trained: there is none.
  const ids = { bos_token_id: begin, eos_token_id: ends.length === 1 ? ends[0] : ends, pad_token_id: null };
  return { ...words, ...ids, torch_dtype: dtype };
}

/** Writes a run's tokenizer and what goes with it. */
export async function writeTokens(folder: string, { json, texts }: TokenFiles): Promise<void> {
  for (const [path, value] of Object.entries(json)) await writeAtomic(join(folder, path), [encodeJson(value)]);
  for (const [path, text] of Object.entries(texts)) await writeText(folder, path, text);
}

async function writeText(folder: string, path: string, text: string): Promise<void> {
  await writeAtomic(join(folder, path), [Buffer.from(text)]);
}

function foldNotes(folded: number): string[] {
  if (folded === 0) return [];
  const layers = folded === 1 ? "a layer" : `${folded} layers`;
  return [
    `The norms of keys and values are folded into the projections of ${layers}, in float32: theirs has one for both.`,
  ];
}

function cutNotes(name: TargetName, tokenizer: unknown): string[] {
  if (cutsAlike(targets[name], tokenizer)) return [];
  return [
    `AutoTokenizer of transformers 5 cuts texts of ${name} by a pattern of its own, not this tokenizer's; PreTrainedTokenizerFast.from_pretrained does as tokenizer.json says.`,
  ];
}

/** Python that stands with the sources, which the package brings along. */
function codePath(name: string): string {
  return fileURLToPath(new URL(`../../src/export/remote-code/${name}`, import.meta.url));
}
