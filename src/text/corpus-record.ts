// What a run keeps of the text that it is trained on, so that the same text is found again, or its change noticed. Knows
// no runs.

import { z } from "zod";
import { InputError } from "../error.ts";
import { type Corpus, type CorpusOptions, openCorpus } from "./corpus.ts";
import { isPrepared, preparedIdentity } from "./prepared.ts";

/** What fixes a run's text. Runs from before lack some of it. */
export const corpusRecordSchema = z.object({
  /** A source's spec, or a directory of prepared text. */
  source: z.string(),
  field: z.string().optional(),
  vocab: z.int().optional(),
  /** Undefined of prepared text, whose sides are made. */
  validationFraction: z.number().optional(),
  /** Undefined where no test side was made, and of prepared text. */
  testFraction: z.number().optional(),
  /** Tokens to train on. */
  tokens: z.int().optional(),
  /** A hash of the tokenizer and of every side's tokens. */
  identity: z.string().optional(),
});

/** The text of a run, as the run keeps it. */
export type CorpusRecord = Readonly<z.output<typeof corpusRecordSchema>>;

/** What to keep of a corpus. */
export function corpusRecord({ tokenizer, data, ...corpus }: Corpus): CorpusRecord {
  const { source, directory, field, validationFraction, testFraction, identity } = corpus;
  const { tokens } = data.train;
  return {
    source: directory ?? source,
    field,
    vocab: tokenizer.vocab,
    validationFraction,
    testFraction,
    tokens,
    identity,
  };
}

/**
 * The corpus of a record, by the tokenizer.json at `place.tokenizer`.
 * @throws InputError where it is not the text of the record any more.
 */
export async function reopenCorpus(
  record: CorpusRecord,
  place: Pick<CorpusOptions, "directory" | "onProgress"> & { tokenizer: string },
): Promise<Corpus> {
  const { source, field, validationFraction, testFraction, vocab = 0 } = record;
  const corpus = await openCorpus({ source, field, validationFraction, testFraction, vocab, ...place });
  try {
    checkCorpus(record, corpus);
  } catch (error) {
    corpus.data[Symbol.dispose]();
    throw error;
  }
  return corpus;
}

/** Whether prepared text at `directory` is the text of a record, wherever that lay. */
export function isTextOf({ identity }: Partial<CorpusRecord>, directory: string): boolean {
  return identity !== undefined && isPrepared(directory) && preparedIdentity(directory) === identity;
}

/** Throws InputError where a record is of prepared text and does not say where that lies, as runs from before do not. */
export function checkPlace({ source, identity, validationFraction }: Partial<CorpusRecord>): void {
  if (source === undefined || identity === undefined || validationFraction !== undefined || isPrepared(source)) return;
  throw new InputError(
    `${source}: the run was begun with prepared text, which does not lie there; name its directory by --data`,
  );
}

/** Throws InputError where `corpus` is not the text of `record`. */
export function checkCorpus(record: CorpusRecord, corpus: Corpus): void {
  const { tokens, identity } = corpusRecord(corpus);
  const advice = "restore it, or begin another run";
  if (record.tokens !== undefined && record.tokens !== tokens) {
    throw new InputError(`${record.source}: had ${record.tokens} tokens to train on and has ${tokens} now; ${advice}`);
  }
  if (record.identity !== undefined && record.identity !== identity) {
    const [was, is] = [record.identity, identity ?? ""].map((text) => `${text.slice(0, 12)}…`);
    throw new InputError(
      `${record.source}: is not the text that the run was begun with (its tokens hash to ${is}, not ${was}): documents were changed or moved; ${advice}`,
    );
  }
}
