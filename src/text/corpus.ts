// Text made ready for models: a tokenizer and token shards in one directory, made once and found the next time.

import { join } from "node:path";
import { makeDirectory } from "../files/directory.ts";
import { digestOf } from "../files/sealed-json.ts";
import { type Dataset, prepareDataset, trainTokenizer } from "./dataset.ts";
import { isPrepared, openPrepared, preparedVocab } from "./prepared.ts";
import { openSource } from "./source.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { keepTokenizer, keptTokenizer, openTokenizer } from "./tokenizer-file.ts";

/** What text to use, and how. */
export interface CorpusOptions {
  /** A source's spec (see `openSource`). */
  source: string;
  /** The field of a .jsonl or .parquet that has the text. */
  field?: string;
  /** Tokens of the vocabulary that is trained on the source, unless `tokenizer` is given. */
  vocab: number;
  /** A tokenizer.json to use instead of training one. */
  tokenizer?: string;
  validationFraction?: number;
  /** About how many of the documents are kept apart for what is reported; none if not given. */
  testFraction?: number;
  /** Where the tokenizer and the shards are kept. */
  directory: string;
  /** Told what is being done when it begins, and after every document how many there were. */
  onProgress?: (stage: "tokenizer" | "tokens", documents: number) => void;
}

/** A tokenizer and the sides of its dataset. */
export interface Corpus {
  readonly source: string;
  /** Where prepared text lies; `source` says where that came from. */
  readonly directory?: string;
  /** The field that has the text, where it is not the usual one. */
  readonly field?: string | undefined;
  /** About how many of the documents are held out; undefined of prepared text, whose sides were made with it. */
  readonly validationFraction?: number;
  readonly testFraction?: number | undefined;
  /** A hash of tokenizer and tokens: the same on every machine. */
  readonly identity: string;
  readonly tokenizer: Tokenizer;
  readonly data: Dataset;
}

/** The vocabulary that a corpus will have, where that is known before its text is read. */
export async function knownVocab({
  source,
  tokenizer,
}: Pick<CorpusOptions, "source" | "tokenizer">): Promise<number | undefined> {
  if (isPrepared(source)) return preparedVocab(source);
  return tokenizer === undefined ? undefined : (await openTokenizer(tokenizer)).vocab;
}

/** Opens a corpus, making what is not there yet. @throws InputError for a source or tokenizer that will not do. */
export async function openCorpus(options: CorpusOptions): Promise<Corpus> {
  const { vocab, directory, validationFraction = 0.05, testFraction, onProgress } = options;
  if (isPrepared(options.source)) return openPrepared(options.source);
  const source = openSource(options.source, { field: options.field });
  makeDirectory(directory);
  const told = (stage: "tokenizer" | "tokens") => {
    onProgress?.(stage, 0);
    return (documents: number) => onProgress?.(stage, documents);
  };
  const tokenizer = await corpusTokenizer();
  const reading = told("tokens");
  const data = await prepareDataset({
    ...{ source, tokenizer, directory, validationFraction },
    ...(testFraction !== undefined && { testFraction }),
    onProgress: ({ documents }) => reading(documents),
  });
  const { field } = options;
  const fractions = { validationFraction, testFraction };
  return { source: source.name, field, ...fractions, identity: identityOf(tokenizer, data), tokenizer, data };

  async function corpusTokenizer(): Promise<Tokenizer> {
    if (options.tokenizer !== undefined) return openTokenizer(options.tokenizer);
    const heldOut = [validationFraction, ...(testFraction ? [testFraction] : [])];
    const from = JSON.stringify([source.name, await source.fingerprint?.(), vocab, ...heldOut]);
    const key = digestOf(from).slice(0, 16);
    const path = join(directory, `${key}-tokenizer.json`);
    const kept = keptTokenizer(path);
    if (kept) return kept;
    const made = await trainTokenizer({
      ...{ source, vocab, validationFraction },
      ...(testFraction !== undefined && { testFraction }),
      onDocument: told("tokenizer"),
    });
    keepTokenizer(made, path);
    return made;
  }
}

/** A hash of what a model learns from: the tokenizer and the tokens of all sides, in their order. */
function identityOf({ json }: Tokenizer, { train, validation, test }: Dataset): string {
  return digestOf(JSON.stringify([json, train.digest, validation.digest, ...(test ? [test.digest] : [])]));
}
