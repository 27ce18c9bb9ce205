// Text made ready once, for any machine: a tokenizer and token shards in a directory that says what they hold by content.
// Whoever has the directory needs no text.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { makeDirectory } from "../files/directory.ts";
import { parseJson } from "../files/json-file.ts";
import { lockDirectory } from "../files/lock.ts";
import { readWhole } from "../files/regular-file.ts";
import { digestOf, encodeSealed, notAsWritten, sealOf } from "../files/sealed-json.ts";
import { PieceCounts, trainBpe } from "./bpe-training.ts";
import type { Corpus } from "./corpus.ts";
import { openShard, type Shard } from "./shard.ts";
import { removeLeftovers, ShardWriter } from "./shard-writer.ts";
import type { Source } from "./source.ts";
import { markLone, parts, type Side, sides, splitPoint } from "./split.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { openTokenizer, saveTokenizer } from "./tokenizer-file.ts";
import { countBytes, countWords } from "./word-count.ts";

/** The file that makes a directory a prepared text. */
const manifestName = "data.json";

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const manifestSchema = z.strictObject({
  format: z.literal(1),
  /** Where the text came from, for people. */
  source: z.string(),
  vocab: z.int(),
  /** Of tokenizer.json. */
  tokenizer: digest,
  shards: z.strictObject({ train: digest, validation: digest, test: digest }),
});

type Manifest = z.output<typeof manifestSchema>;

/** What to prepare. */
export interface PrepareOptions {
  source: Source;
  /** Held-out text of its own; a part of `source` if not given. */
  validation?: Source;
  test?: Source;
  /** About how many of the source's documents each held-out side gets that has no source of its own. */
  fraction: number;
  /** Tokens of the vocabulary that is trained, unless `tokenizer` is given. */
  vocab: number;
  tokenizer?: Tokenizer;
  directory: string;
  /** Told after every document. */
  onProgress?: (progress: { side: Side; documents: number; tokens: number }) => void;
}

/** True of a directory that `prepareText` made. */
export function isPrepared(path: string): boolean {
  return existsSync(join(path, manifestName));
}

function checkUnprepared(directory: string): void {
  if (isPrepared(directory)) {
    throw new InputError(`${directory}: holds prepared text already; choose another directory`);
  }
}

/** Writes a prepared text. @throws InputError where the directory holds one or is in use, or a side would be empty. */
export async function prepareText(options: PrepareOptions): Promise<void> {
  const { source, directory } = options;
  checkUnprepared(directory);
  makeDirectory(directory);
  using _lock = lockDirectory(directory);
  checkUnprepared(directory); // another process may have been quicker
  removeLeftovers(directory);
  const tokenizer = options.tokenizer ?? (await trainedTokenizer(options));
  saveTokenizer(tokenizer, join(directory, "tokenizer.json"));
  const writers = Object.fromEntries(
    sides.map((side) => [side, new ShardWriter(shardPath(directory, side), tokenizer.vocab)]),
  ) as Record<Side, ShardWriter>;
  const add = (side: Side, document: string) => {
    const ids = tokenizer.encode(document);
    const tokens = new Uint32Array(ids.length + 1);
    tokens[0] = tokenizer.endOfText;
    tokens.set(ids, 1);
    writers[side].append(tokens, { bytes: countBytes(document), words: countWords(document) });
    options.onProgress?.({ side, documents: writers[side].documents, tokens: writers[side].tokens });
  };
  try {
    for await (const { text, side } of sided(options)) add(side, text);
    for (const side of ["validation", "test"] as const) {
      const own = options[side];
      if (own) for await (const document of own.documents()) add(side, document);
    }
    for (const side of sides) {
      if (writers[side].documents === 0)
        throw new InputError(`prepare: no document is left for ${side}; give more text`);
      writers[side].finish();
    }
  } finally {
    for (const side of sides) writers[side].abort();
  }
  const digests = await Promise.all(
    sides.map(async (side) => {
      using shard = await openShard(shardPath(directory, side));
      return [side, shard.digest] as const;
    }),
  );
  const manifest: Manifest = {
    format: 1,
    source: source.name,
    vocab: tokenizer.vocab,
    tokenizer: fileDigest(join(directory, "tokenizer.json")),
    shards: Object.fromEntries(digests) as Manifest["shards"],
  };
  await writeAtomic(join(directory, manifestName), [encodeSealed(manifest)]);
}

async function trainedTokenizer(options: PrepareOptions): Promise<Tokenizer> {
  const counts = new PieceCounts();
  for await (const { text, side } of sided(options)) if (side === "train") counts.add(text);
  return trainBpe(counts, { vocab: options.vocab });
}

/** The vocabulary of a prepared text. @throws InputError where what describes it cannot be read. */
export function preparedVocab(directory: string): number {
  return readManifest(join(directory, manifestName)).vocab;
}

/** A hash of what a prepared text says that it holds. @throws InputError where what describes it cannot be read. */
export function preparedIdentity(directory: string): string {
  return identityOf(readManifest(join(directory, manifestName)));
}

function identityOf({ tokenizer, shards }: Manifest): string {
  return digestOf(JSON.stringify([tokenizer, ...sides.map((side) => shards[side])]));
}

/** Opens a prepared text. @throws InputError where a file is missing, damaged, or not the one that was prepared. */
export async function openPrepared(directory: string): Promise<Corpus> {
  const manifest = readManifest(join(directory, manifestName));
  const tokenizerPath = join(directory, "tokenizer.json");
  const found = fileDigest(tokenizerPath);
  if (found !== manifest.tokenizer) throw new InputError(`${tokenizerPath}: is not the tokenizer that was prepared`);
  const tokenizer = await openTokenizer(tokenizerPath);
  const shards: Partial<Record<Side, Shard>> = {};
  try {
    for (const side of sides) {
      const path = shardPath(directory, side);
      const shard = await openShard(path);
      shards[side] = shard;
      if (shard.digest !== manifest.shards[side]) throw new InputError(`${path}: is not the shard that was prepared`);
    }
  } catch (error) {
    for (const shard of Object.values(shards)) shard[Symbol.dispose]();
    throw error;
  }
  const { train, validation, test } = shards as Record<Side, Shard>;
  return {
    source: manifest.source,
    directory,
    identity: identityOf(manifest),
    tokenizer,
    data: {
      ...{ train, validation, test },
      [Symbol.dispose]() {
        for (const shard of [train, validation, test]) shard[Symbol.dispose]();
      },
    },
  };
}

function shardPath(directory: string, side: Side): string {
  return join(directory, `${side}.shard`);
}

/** The documents of the source with their sides; of a single one, the parts that its sides get. */
async function* sided(options: PrepareOptions): AsyncGenerator<{ text: string; side: Side }> {
  const { source, validation, test, fraction } = options;
  let lone: string | undefined;
  for await (const { text, isLone } of markLone(source.documents())) {
    if (isLone) lone = text;
    else yield { text, side: sideOf(text, options) };
  }
  if (lone === undefined) return;
  const heldOut = [...(validation ? [] : ["validation" as const]), ...(test ? [] : ["test" as const])];
  const texts = parts(
    lone,
    heldOut.map((_, i) => 1 - (heldOut.length - i) * fraction),
  );
  for (const [i, text] of texts.entries()) yield { text, side: i === 0 ? "train" : (heldOut[i - 1] as Side) };
}

function sideOf(document: string, { validation, test, fraction }: PrepareOptions): Side {
  const point = splitPoint(document);
  if (!validation && point < fraction) return "validation";
  if (!test && point >= 1 - fraction) return "test";
  return "train";
}

function readManifest(path: string): Manifest {
  const bytes = readWhole(path);
  const sealed = manifestSchema.extend({ checksum: digest.optional() }); // files from before have none
  const found = sealed.safeParse(parseJson(path, bytes.toString("utf8")));
  if (!found.success) {
    const [issue] = found.error.issues;
    throw new InputError(`${path}: ${issue?.path.join(".") || "file"}: ${issue?.message}; prepare the text again`);
  }
  const { checksum, ...manifest } = found.data;
  if (checksum !== undefined && sealOf(bytes) !== "intact") throw notAsWritten(path);
  return manifest;
}

function fileDigest(path: string): string {
  try {
    return digestOf(readWhole(path));
  } catch (error) {
    throw new InputError(`${path}: cannot be read: ${(error as Error).message}; prepare the text again`);
  }
}
