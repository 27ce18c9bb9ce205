// Documents made into a tokenizer and into a token shard for each side. A directory keeps shards by what they were made
// from, so that they are made once. Knows no batches.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { readWhole } from "../files/regular-file.ts";
import { encodeSealed } from "../files/sealed-json.ts";
import { type BpeTrainingOptions, PieceCounts, trainBpe } from "./bpe-training.ts";
import { openShard, type Shard } from "./shard.ts";
import { removeLeftovers, ShardWriter } from "./shard-writer.ts";
import type { Source } from "./source.ts";
import { checkFraction, type Side, Sides, sides } from "./split.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { saveTokenizer } from "./tokenizer-file.ts";
import { countBytes, countWords } from "./word-count.ts";

/** The sides of a source's documents, as tokens. Dispose of it to close them. */
export interface Dataset extends Disposable {
  readonly train: Shard;
  /** What choices are made by, of learning rates for one. */
  readonly validation: Shard;
  /** What is reported and never chosen by; where it was asked for. */
  readonly test?: Shard;
}

/** What a dataset is made of, and where. */
export interface DatasetOptions {
  source: Source;
  tokenizer: Tokenizer;
  /** Where the shards are kept, and found the next time. */
  directory: string;
  /** About how many of the documents choices are made by; 0.05 if not given. */
  validationFraction?: number;
  /** About how many of the documents are kept apart for what is reported; none if not given. */
  testFraction?: number;
  /** Told after every document. */
  onProgress?: (progress: { documents: number; tokens: number }) => void;
}

/**
 * The shards of a source, made if they are not there yet. Each document is an end-of-text token, then its tokens.
 * @throws InputError where one side would be empty, saying which fraction would do.
 */
export async function prepareDataset(options: DatasetOptions): Promise<Dataset> {
  const { source, tokenizer, directory, validationFraction = 0.05, testFraction = 0 } = options;
  checkFraction(validationFraction);
  checkFraction(testFraction);
  const key = hash(
    JSON.stringify([
      source.name,
      await source.fingerprint?.(),
      hash(JSON.stringify(tokenizer.json)),
      tokenizer.endOfText,
    ]),
    String(validationFraction),
    ...(testFraction > 0 ? [String(testFraction)] : []),
  ).slice(0, 16);
  const made = testFraction > 0 ? sides : sides.slice(0, 2);
  const paths = new Map(made.map((side) => [side, join(directory, `${key}-${side}.shard`)]));
  const digestsPath = join(directory, `${key}-shards.json`);
  if ([...paths.values()].every((path) => existsSync(path))) {
    const kept = await openAll(paths).catch((error) => {
      if (error instanceof InputError) return undefined; // damaged: made again
      throw error;
    });
    if (kept && areKept(digestsPath, kept)) return kept;
    kept?.[Symbol.dispose]();
  }
  removeLeftovers(directory);
  await write(options, paths, new Sides(source.name, validationFraction, testFraction));
  const written = await openAll(paths);
  await writeAtomic(digestsPath, [encodeSealed(digestsOf(written))]);
  return written;
}

/** What a dataset's shards hold, by side. */
function digestsOf({ train, validation, test }: Dataset): object {
  return { train: train.digest, validation: validation.digest, ...(test && { test: test.digest }) };
}

/** Whether shards are those of their sides; of shards from before nobody says. */
function areKept(path: string, dataset: Dataset): boolean {
  return !existsSync(path) || readWhole(path).equals(encodeSealed(digestsOf(dataset)));
}

async function write(options: DatasetOptions, paths: ReadonlyMap<Side, string>, divided: Sides): Promise<void> {
  const { source, tokenizer, onProgress } = options;
  const writers = new Map<Side, ShardWriter>();
  try {
    for (const [side, path] of paths) writers.set(side, new ShardWriter(path, tokenizer.vocab));
    const all = [...writers.values()];
    for await (const { text, side } of divided.divide(source.documents())) {
      const ids = tokenizer.encode(text);
      const tokens = new Uint32Array(ids.length + 1);
      tokens[0] = tokenizer.endOfText;
      tokens.set(ids, 1);
      writers.get(side)?.append(tokens, { bytes: countBytes(text), words: countWords(text) });
      const sum = (of: (writer: ShardWriter) => number) => all.reduce((total, writer) => total + of(writer), 0);
      onProgress?.({ documents: sum(({ documents }) => documents), tokens: sum(({ tokens }) => tokens) });
    }
    divided.check();
    for (const writer of all) writer.finish();
  } finally {
    for (const writer of writers.values()) writer.abort();
  }
}

async function openAll(paths: ReadonlyMap<Side, string>): Promise<Dataset> {
  const shards: Partial<Record<Side, Shard>> = {};
  const close = () => {
    for (const shard of Object.values(shards)) shard[Symbol.dispose]();
  };
  try {
    for (const [side, path] of paths) shards[side] = await openShard(path);
  } catch (error) {
    close();
    throw error;
  }
  return { ...(shards as Record<Side, Shard>), [Symbol.dispose]: close };
}

/** What training from a source is asked for. */
export interface TokenizerTrainingOptions extends BpeTrainingOptions {
  source: Source;
  /** Where to write the tokenizer.json, if anywhere. */
  path?: string;
  /** The fractions of documents held out, which training does not see; 0.05 and none if not given. */
  validationFraction?: number;
  testFraction?: number;
  /** Told after every document how many there were. */
  onDocument?: (documents: number) => void;
}

/**
 * Trains a tokenizer on the documents that are not held out.
 * @throws InputError as `trainBpe`, and where one side of the split would be empty.
 */
export async function trainTokenizer(options: TokenizerTrainingOptions): Promise<Tokenizer> {
  const { source, path, validationFraction = 0.05, testFraction, onDocument, ...training } = options;
  const divided = new Sides(source.name, validationFraction, testFraction);
  const counts = new PieceCounts();
  let documents = 0;
  for await (const { text, side } of divided.divide(source.documents())) {
    if (side === "train") counts.add(text);
    onDocument?.(++documents);
  }
  divided.check();
  const tokenizer = trainBpe(counts, training);
  if (path !== undefined) saveTokenizer(tokenizer, path);
  return tokenizer;
}

function hash(...parts: string[]): string {
  const sha256 = createHash("sha256");
  for (const part of parts) sha256.update(part).update("\0");
  return sha256.digest("hex");
}
