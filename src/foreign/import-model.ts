// From another project's model to a run's directory: its weights in their own type, its tokenizer, how it chats.

import { totalBytes, type Watch, watched, writeChecked } from "../checkpoint/checked-writer.ts";
import type { WeightsOrigin } from "../checkpoint/new-run.ts";
import { RunDirectory, tokenizerOptions } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { modelConfig } from "../model/config.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import type { ForeignCheckpoint } from "./foreign-checkpoint.ts";
import { importedWeights } from "./imported-weights.ts";

/** What an import leaves open. */
export interface ImportOptions extends Watch {
  /** The longest text, if shorter than the model's. */
  readonly context?: number | undefined;
}

/** What an import has made. */
export interface Imported {
  readonly run: RunDirectory;
  /** Bytes of weights. */
  readonly bytes: number;
  /** What was left out or taken otherwise than the files say, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Writes a model to a run's directory at `out`. Nothing is written before all that can be checked is.
 * @throws InputError naming what does not suit and where it lies; then there is no run, nor a part of one.
 */
export async function importModel(
  checkpoint: ForeignCheckpoint,
  out: string,
  { context, ...watch }: ImportOptions = {},
): Promise<Imported> {
  const { name, title, texts, chatTemplate, tokenizer, notes } = checkpoint;
  if (context !== undefined && context > checkpoint.model.context) {
    throw new InputError(`context: ${context} tokens asked, the model has ${checkpoint.model.context}`);
  }
  const model = modelConfig({ ...checkpoint.model, ...(context !== undefined && { context }) });
  const { tensors, ignored } = importedWeights(checkpoint);
  checkTokenizer(checkpoint);
  const config = { name: title, model, recipe: null, data: { imported: name } };
  const writeModel = (path: string, origin: WeightsOrigin) =>
    writeChecked(path, watched(tensors, watch), { name: title, ...origin });
  const run = await RunDirectory.create(out, config, tokenizer, { texts, chatTemplate, writeModel });
  return { run, bytes: totalBytes(tensors), notes: [...notes, ...ignoredNote(ignored)] };
}

function checkTokenizer({ name, model, texts, tokenizer }: ForeignCheckpoint): void {
  try {
    loadTokenizer(tokenizer, tokenizerOptions(model, texts));
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${name}: ${error.message}`, { cause: error }) : error;
  }
}

function ignoredNote(ignored: readonly string[]): string[] {
  const [first] = ignored;
  if (first === undefined) return [];
  const more = ignored.length > 1 ? ` and ${ignored.length - 1} more` : "";
  return [`Left out, as the model does not use it: ${first}${more}.`];
}
