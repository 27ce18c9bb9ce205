// `crosslayer generate`: a run writes on, decoding with its shared cache.

import { Command } from "commander";
import pc from "picocolors";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { Decoder } from "../engine/decoder.ts";
import { generate } from "../engine/generation.ts";
import { bytesText, integerText } from "../study/quantity.ts";
import { Detokenizer } from "../text/detokenizer.ts";
import { loadTokenizer } from "../text/tokenizer.ts";
import { interruptible } from "./interrupt.ts";
import { between, from, whole } from "./numbers.ts";

interface Flags {
  temperature: number;
  topP: number;
  topK: number;
  seed: number;
  maxTokens?: number;
  threads?: number;
}

/** The subcommand. */
export function generateCommand(): Command {
  return new Command("generate")
    .description("let a run write on after a prompt, as it comes")
    .argument("<run>", "a run's directory")
    .argument("[prompt]", "the text to go on from", "")
    .option("--temperature <t>", "0 takes the likeliest token every time", from(0, 100), 0.8)
    .option("--top-p <p>", "only the likeliest tokens that together have this probability", between(0, 1), 1)
    .option("--top-k <k>", "only the k likeliest tokens; 0 for all", whole(0), 0)
    .option("--seed <number>", "the same seed, the same text", whole(0, 0xffffffff), 0)
    .option("--max-tokens <count>", "most tokens to write (default: what the context holds)", whole(1))
    .option("--threads <count>", "threads of each operation (default: all cores)", whole(1, 1024))
    .action(runGenerate);
}

async function runGenerate(path: string, prompt: string, { threads, ...options }: Flags): Promise<void> {
  const run = await RunDirectory.open(path);
  const { tensors } = await run.loadModel();
  const tokenizer = loadTokenizer(run.tokenizer);
  using decoder = await Decoder.create(run.config.model, tensors, { threads });
  const { endOfText } = tokenizer;
  const detokenizer = new Detokenizer(tokenizer);
  await interruptible(async (signal) => {
    const start = performance.now();
    process.stdout.write(prompt);
    const tokens = generate(decoder, [endOfText, ...tokenizer.encode(prompt)], { ...options, endOfText, signal });
    let written = 0;
    for await (const token of tokens) {
      process.stdout.write(detokenizer.push(token));
      written++;
    }
    process.stdout.write(`${detokenizer.end()}\n`);
    const { cache } = decoder;
    const rate = written / ((performance.now() - start) / 1000);
    console.error(
      pc.dim(
        `${integerText(written)} tokens, ${rate.toFixed(0)} tokens/s; KV cache ${bytesText(cache.bytes)} for ${integerText(cache.capacity)} tokens`,
      ),
    );
  });
}
