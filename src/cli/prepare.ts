// `crosslayer prepare`: text made into a tokenizer and token shards, once, for every machine.

import { Command } from "commander";
import { integerText } from "../charts/quantity.ts";
import { prepareText } from "../text/prepared.ts";
import { openSource } from "../text/source.ts";
import { openTokenizer } from "../text/tokenizer-file.ts";
import { between, whole } from "./numbers.ts";

interface Flags {
  data: string;
  validation?: string;
  test?: string;
  field?: string;
  vocab: number;
  tokenizer?: string;
  heldOut: number;
  out: string;
}

/** The subcommand. */
export function prepareCommand(): Command {
  return new Command("prepare")
    .description("make a tokenizer and token shards of text, to be trained on anywhere with --data <out>")
    .requiredOption("--data <source>", "what to train on: as of train")
    .option("--validation <source>", "text that choices are made by (default: a part of --data)")
    .option("--test <source>", "text that is only reported (default: a part of --data)")
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .option("--vocab <tokens>", "vocabulary of the tokenizer that is trained", whole(257, 1 << 20), 4096)
    .option("--tokenizer <file>", "a tokenizer.json to use instead")
    .option("--held-out <fraction>", "documents for each side without a source of its own", between(0, 0.4), 0.025)
    .requiredOption("--out <directory>", "where it is kept")
    .action(runPrepare);
}

/** Documents between two lines of progress. */
const reportEveryDocuments = 20000;

async function runPrepare(flags: Flags): Promise<void> {
  const { field, vocab, heldOut, out } = flags;
  const source = openSource(flags.data, { field });
  const [validation, test] = [flags.validation, flags.test].map((spec) => spec && openSource(spec, { field }));
  const tokenizer = flags.tokenizer === undefined ? undefined : await openTokenizer(flags.tokenizer);
  console.error(tokenizer ? "reading the text" : "training a tokenizer");
  const tokens = new Map<string, number>();
  await prepareText({
    ...{ source, vocab, fraction: heldOut, directory: out },
    ...(validation && { validation }),
    ...(test && { test }),
    ...(tokenizer && { tokenizer }),
    onProgress: (progress) => {
      tokens.set(progress.side, progress.tokens);
      if (progress.documents % reportEveryDocuments === 0) {
        console.error(
          `${progress.side}: ${integerText(progress.documents)} documents, ${integerText(progress.tokens)} tokens`,
        );
      }
    },
  });
  for (const [side, count] of tokens) console.log(`${side.padEnd(10)}  ${integerText(count).padStart(14)} tokens`);
  console.log(`written to ${out}; try: crosslayer train --data ${out} --out runs/x`);
}
