// `crosslayer tokenizer train`: a byte-level BPE tokenizer from text.

import { existsSync } from "node:fs";
import { Command } from "commander";
import { durationText, integerText } from "../charts/quantity.ts";
import { InputError } from "../error.ts";
import { trainTokenizer } from "../text/dataset.ts";
import { openSource } from "../text/source.ts";
import { between, whole } from "./numbers.ts";
import { documentProgress, progress } from "./progress.ts";

interface Flags {
  data: string;
  field?: string;
  vocab: number;
  out: string;
  validationFraction: number;
  force?: boolean;
}

/** The subcommand. */
export function tokenizerCommand(): Command {
  const train = new Command("train")
    .description("train a byte-level BPE tokenizer and write it as tokenizer.json")
    .requiredOption(
      "--data <source>",
      "sotu, a .txt, .jsonl or .parquet file, a directory of these, or hf:owner/dataset",
    )
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .option("--vocab <tokens>", "tokens in all: 256 bytes, end of text, merges", whole(257, 1 << 20), 4096)
    .option("--out <file>", "the file to write", "tokenizer.json")
    .option("--validation-fraction <share>", "documents it does not see", between(0, 0.999), 0.05)
    .option("--force", "write over a file that is there")
    .action(runTrain);
  return new Command("tokenizer").description("make tokenizers").addCommand(train);
}

async function runTrain({ data, field, vocab, out, validationFraction, force }: Flags): Promise<void> {
  if (existsSync(out) && !force) throw new InputError(`${out}: is there already; use --force to write over it`);
  const start = performance.now();
  const bar = progress("tokens", vocab, 257);
  const tokenizer = await trainTokenizer({
    source: openSource(data, { field }),
    vocab,
    path: out,
    validationFraction,
    onDocument: documentProgress(`reading ${data}`),
    onProgress: ({ done }) => bar.update(done, ""),
  }).finally(() => bar.stop());
  console.log(`${out}: ${integerText(tokenizer.vocab)} tokens in ${durationText((performance.now() - start) / 1000)}`);
}
