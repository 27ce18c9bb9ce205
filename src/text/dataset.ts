// Documents made into a tokenizer and into two token shards, for training and for validation. A directory keeps shards by
// what they were made from, so that they are made once. Knows no batches.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { type BpeTrainingOptions, PieceCounts, trainBpe } from "./bpe-training.ts";
import { openShard, type Shard } from "./shard.ts";
import { removeLeftovers, ShardWriter } from "./shard-writer.ts";
import type { Source } from "./source.ts";
import { checkFraction, Sides } from "./split.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { saveTokenizer } from "./tokenizer-file.ts";
import { countBytes, countWords } from "./word-count.ts";

/** The sides of a source's documents, as tokens. Dispose of it to close them. */
export interface Dataset extends Disposable {
  readonly train: Shard;
  /** What choices are made by, of learning rates for one. */
  readonly validation: Shard;
  /** What is reported and never chosen by; only of prepared text. */
  readonly test?: Shard;
}

/** What a dataset is made of, and where. */
export interface DatasetOptions {
  source: Source;
  tokenizer: Tokenizer;
  /** Where the shards are kept, and found the next time. */
  directory: string;
  /** About how many of the documents are held out; 0.05 if not given. */
  validationFraction?: number;
  /** Told after every document. */
  onProgress?: (progress: { documents: number; tokens: number }) => void;
}

/**
 * The shards of a source, made if they are not there yet. Each document is an end-of-text token, then its tokens.
 * @throws InputError where one side would be empty, saying which fraction would do.
 */
export async function prepareDataset(options: DatasetOptions): Promise<Dataset> {
  const { source, tokenizer, directory, validationFraction = 0.05 } = options;
  checkFraction(validationFraction);
  const key = hash(
    JSON.stringify([
      source.name,
      await source.fingerprint?.(),
      hash(JSON.stringify(tokenizer.json)),
      tokenizer.endOfText,
    ]),
    String(validationFraction),
  ).slice(0, 16);
  const train = join(directory, `${key}-train.shard`);
  const validation = join(directory, `${key}-validation.shard`);
  if (existsSync(train) && existsSync(validation)) {
    const kept = await openBoth(train, validation).catch((error) => {
      if (error instanceof InputError) return undefined; // damaged: made again
      throw error;
    });
    if (kept) return kept;
  }
  removeLeftovers(directory);
  await write(options, train, validation, validationFraction);
  return openBoth(train, validation);
}

async function write(options: DatasetOptions, train: string, validation: string, fraction: number): Promise<void> {
  const { source, tokenizer, onProgress } = options;
  const writers = { train: new ShardWriter(train, tokenizer.vocab), validation: undefined as ShardWriter | undefined };
  try {
    writers.validation = new ShardWriter(validation, tokenizer.vocab);
    const sides = new Sides(source.name, fraction);
    for await (const { text, heldOut } of sides.divide(source.documents())) {
      const ids = tokenizer.encode(text);
      const tokens = new Uint32Array(ids.length + 1);
      tokens[0] = tokenizer.endOfText;
      tokens.set(ids, 1);
      const writer = heldOut ? writers.validation : writers.train;
      writer.append(tokens, { bytes: countBytes(text), words: countWords(text) });
      onProgress?.({
        documents: writers.train.documents + writers.validation.documents,
        tokens: writers.train.tokens + writers.validation.tokens,
      });
    }
    sides.check();
    writers.train.finish();
    writers.validation.finish();
  } finally {
    writers.train.abort();
    writers.validation?.abort();
  }
}

async function openBoth(train: string, validation: string): Promise<Dataset> {
  const first = await openShard(train);
  try {
    const second = await openShard(validation);
    return {
      train: first,
      validation: second,
      [Symbol.dispose]() {
        first[Symbol.dispose]();
        second[Symbol.dispose]();
      },
    };
  } catch (error) {
    first[Symbol.dispose]();
    throw error;
  }
}

/** What training from a source is asked for. */
export interface TokenizerTrainingOptions extends BpeTrainingOptions {
  source: Source;
  /** Where to write the tokenizer.json, if anywhere. */
  path?: string;
  /** The fraction of documents held out, which training does not see; 0.05 if not given. */
  validationFraction?: number;
  /** Told after every document how many there were. */
  onDocument?: (documents: number) => void;
}

/**
 * Trains a tokenizer on the documents that are not held out.
 * @throws InputError as `trainBpe`, and where one side of the split would be empty.
 */
export async function trainTokenizer(options: TokenizerTrainingOptions): Promise<Tokenizer> {
  const { source, path, validationFraction = 0.05, onDocument, ...training } = options;
  const sides = new Sides(source.name, validationFraction);
  const counts = new PieceCounts();
  let documents = 0;
  for await (const { text, heldOut } of sides.divide(source.documents())) {
    if (!heldOut) counts.add(text);
    onDocument?.(++documents);
  }
  sides.check();
  const tokenizer = trainBpe(counts, training);
  if (path !== undefined) saveTokenizer(tokenizer, path);
  return tokenizer;
}

function hash(...parts: string[]): string {
  const sha256 = createHash("sha256");
  for (const part of parts) sha256.update(part).update("\0");
  return sha256.digest("hex");
}
