// `crosslayer eval`: how well a run predicts text.

import { isDeepStrictEqual } from "node:util";
import { Command, Option } from "commander";
import { integerText } from "../charts/quantity.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { CachedScorer } from "../eval/cached-scorer.ts";
import { documentsOf } from "../eval/evaluation.ts";
import { perplexity, type ScoredDocument } from "../eval/perplexity.ts";
import { Scorer, type WindowScorer } from "../eval/scorer.ts";
import { engineSchema } from "../generate/engine-options.ts";
import type { KvDtype, WeightDtype } from "../model/formats.ts";
import type { Precision } from "../model/precision.ts";
import { checked } from "../options.ts";
import { putAll } from "../runtime/device.ts";
import { type CorpusRecord, corpusRecordSchema } from "../text/corpus-record.ts";
import { isPrepared, openPrepared } from "../text/prepared.ts";
import { openSource, type Source } from "../text/source.ts";
import { Sides } from "../text/split.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { countBytes, countWords } from "../text/word-count.ts";
import { type DeviceFlags, deviceOptions, openAsked, precisionOn } from "./device-options.ts";
import { option } from "./option.ts";

type Side = "validation" | "test" | "all";

interface Flags extends DeviceFlags {
  data?: string;
  field?: string;
  split?: Side;
  kvDtype?: KvDtype;
  weights?: WeightDtype;
  json?: boolean;
}

const kvDtypeWords = { description: "measure by the engine's arithmetic, with keys and values kept so", told: "" };
const weightsWords = { description: "the same, with weights kept so", told: "" };

/** The subcommand. */
export function evalCommand(): Command {
  const command = new Command("eval")
    .description("perplexity per token and per word, and bits per byte, of a run on text (lm-eval's rolling windows)")
    .argument("<run>", "a run's directory")
    .option("--data <source>", "what to predict (default: what the run held out)")
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .addOption(
      new Option(
        "--split <side>",
        "which documents (default: validation of the run's own data, all of any other; test is of prepared text)",
      ).choices(["validation", "test", "all"]),
    )
    .addOption(option(engineSchema, "kvDtype", "<type>", kvDtypeWords))
    .addOption(option(engineSchema, "weights", "<type>", weightsWords))
    .addOption(option(engineSchema, "threads", "<count>"))
    .option("--json", "print one JSON object")
    .action(runEval);
  return deviceOptions(command);
}

/** The fraction of documents held out where nobody says another. */
const usualFraction = 0.05;

/** What a run says of the text that it was trained on; of an imported one, nothing. */
function ownText(run: RunDirectory): Partial<CorpusRecord> {
  return run.config.data === undefined || run.config.data === null
    ? {}
    : checked(corpusRecordSchema.partial(), run.config.data, `${run.path}: data`);
}

async function runEval(path: string, flags: Flags): Promise<void> {
  const run = await RunDirectory.open(path);
  const own = ownText(run);
  const spec = flags.data ?? own.source;
  if (spec === undefined) throw new InputError("eval: --data is missing; try --data sotu, or a file of your own");
  const field = flags.field ?? (spec === own.source ? own.field : undefined);
  const side = flags.split ?? (spec === own.source ? "validation" : "all");
  const { tensors } = await run.loadModel();
  const tokenizer = run.loadTokenizer();
  const documents = isPrepared(spec)
    ? shardDocuments(spec, side, run.tokenizer)
    : textDocuments(openSource(spec, { field }), side, tokenizer, own.validationFraction ?? usualFraction);
  if (side === "validation" && !isPrepared(spec) && own.validationFraction === undefined) {
    console.error(
      `warning: ${path} does not say which part of its documents it held out; ${usualFraction} of them is taken for it`,
    );
  }
  const { model } = run.config;
  const { kvDtype = "float32", weights = "float32" } = flags;
  const byEngine = flags.kvDtype !== undefined || flags.weights !== undefined;
  await using device = await openAsked(flags);
  const stored = (run.config.recipe as { precision?: Precision } | undefined)?.precision;
  const precision = precisionOn(device, flags.precision ?? (device.traits.memory === "device" ? stored : undefined));
  using cached = byEngine ? await CachedScorer.create(device, model, tensors, { kvDtype, weights }) : undefined;
  using plain = byEngine ? undefined : await Scorer.create(device, model, { precision });
  const scorer = (cached ?? plain?.with(putAll(device, tensors))) as WindowScorer;
  const found = await perplexity(scorer, documents, {
    context: model.context,
    prefix: tokenizer.prefix.at(-1) ?? tokenizer.endOfText,
  });
  if (found.tokens === 0)
    throw new InputError(`eval: ${spec} has no ${side === "all" ? "" : "held-out "}text; try --split all`);
  if (flags.json) {
    console.log(
      JSON.stringify({
        run: path,
        name: run.config.name,
        data: spec,
        split: side,
        ...(byEngine && { kvDtype, weights }),
        ...found,
      }),
    );
    return;
  }
  console.log(
    [
      `${run.config.name} on ${spec} (${side}; ${integerText(found.tokens)} tokens, ${integerText(found.bytes)} bytes, ${integerText(found.words)} words)`,
      ...(byEngine ? [`  keys and values in ${kvDtype}, weights in ${weights}`] : []),
      `  perplexity per token  ${found.perplexity.toFixed(3)}`,
      `  bits per byte         ${found.bitsPerByte.toFixed(4)}`,
      `  perplexity per word   ${found.wordPerplexity.toFixed(2)}`,
    ].join("\n"),
  );
}

/** The documents of a source, those held out or all. @throws InputError for the test side, which only prepared text has. */
async function* textDocuments(
  source: Source,
  side: Side,
  tokenizer: Tokenizer,
  fraction: number,
): AsyncGenerator<ScoredDocument> {
  if (side === "test")
    throw new InputError("eval: --split test is of text that `crosslayer prepare` made; try validation");
  const score = (text: string) => ({
    tokens: tokenizer.encode(text),
    bytes: countBytes(text),
    words: countWords(text),
  });
  if (side === "all") for await (const text of source.documents()) yield score(text);
  else {
    for await (const { text, heldOut } of new Sides(source.name, fraction).divide(source.documents())) {
      if (heldOut) yield score(text);
    }
  }
}

/** The documents of a side of prepared text. @throws InputError where the run has another tokenizer. */
async function* shardDocuments(directory: string, side: Side, runTokenizer: unknown): AsyncGenerator<ScoredDocument> {
  const { data, tokenizer } = await openPrepared(directory);
  using _data = data;
  if (!isDeepStrictEqual(tokenizer.json, runTokenizer)) {
    throw new InputError(
      `eval: ${directory} was prepared by another tokenizer than the run's; prepare it by the run's`,
    );
  }
  const { train, validation, test } = data;
  const shards = side === "all" ? [train, validation, test] : [side === "test" ? test : validation];
  for (const shard of shards) if (shard) yield* documentsOf(shard);
}
