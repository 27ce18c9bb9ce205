// `crosslayer eval`: how well a run predicts text.

import { isDeepStrictEqual } from "node:util";
import { Command, Option } from "commander";
import { integerText } from "../charts/quantity.ts";
import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { documentsOf } from "../eval/evaluation.ts";
import { perplexity, type ScoredDocument } from "../eval/perplexity.ts";
import { probeNames, usualContexts } from "../eval/probes/probes.ts";
import { tasks } from "../eval/tasks/task-table.ts";
import { engineSchema } from "../generate/engine-options.ts";
import { checked, kebabCase } from "../options.ts";
import { type CorpusRecord, checkPlace, corpusRecordSchema, isTextOf } from "../text/corpus-record.ts";
import { isPrepared, openPrepared } from "../text/prepared.ts";
import { openSource, type Source } from "../text/source.ts";
import { Sides } from "../text/split.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { countBytes, countWords } from "../text/word-count.ts";
import { askedRun } from "./asked-run.ts";
import { deviceOptions } from "./device-options.ts";
import { type ProbeFlags, probesText, probeText } from "./eval-probes.ts";
import { scoresText, type TaskFlags, taskScores } from "./eval-tasks.ts";
import { type ModelFlags, withModel } from "./evaluated-model.ts";
import { whole } from "./numbers.ts";
import { option } from "./option.ts";
import { documentProgress } from "./progress.ts";

type Side = "validation" | "test" | "all";

interface Flags extends ModelFlags, TaskFlags, ProbeFlags {
  data?: string;
  field?: string;
  split?: Side;
  json?: boolean;
}

const kvDtypeWords = { description: "measure by the engine's arithmetic, with keys and values kept so", told: "" };
const weightsWords = { description: "the same, with weights kept so", told: "" };

/** The subcommand. */
export function evalCommand(): Command {
  const command = new Command("eval")
    .description("a run's perplexity on text (lm-eval's rolling windows), or its scores on lm-eval's tasks")
    .argument("<run>", "a run's directory")
    .option("--data <source>", "what to predict (default: what the run held out)")
    .option("--field <name>", 'where a .jsonl or .parquet has its text (default: "text")')
    .addOption(
      new Option(
        "--split <side>",
        "which documents (default: validation of the run's own data, all of any other; test is of prepared text)",
      ).choices(["validation", "test", "all"]),
    )
    .option("--tasks <names>", `instead: ${Object.keys(tasks).join(",")}; name=<file or hf:owner/dataset> for your own`)
    .option("--tasks-dir <directory>", "where their files are (default: the hub's datasets)")
    .option("--probes <names>", `instead: ${probeNames.join(",")}, on the text that --data and --split name`)
    .option("--contexts <list>", `contexts to probe (default: ${usualContexts.join(",")}, as far as the model's goes)`)
    .option("--limit <items>", "only the first so many of each task, or of each of its subsets", whole(1))
    .option("--samples <file>", "write what the model says of each item, as JSON lines")
    .option("--bos", "begin contexts with the token that texts begin with (lm-eval's add_bos_token)")
    .option("--window <tokens>", "the most tokens that it reads at once (default: its context)", whole(1))
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
  const run = await askedRun(path);
  if (flags.tasks === undefined) {
    const other = (["tasksDir", "limit", "samples", "bos"] as const).find((name) => flags[name] !== undefined);
    if (other) throw new InputError(`eval: --${kebabCase(other)} is of tasks; name them: --tasks blimp,lambada`);
    return runPerplexity(run, flags);
  }
  const other = (["data", "field", "split", "probes"] as const).find((name) => flags[name] !== undefined);
  if (other) throw new InputError(`eval: --${other} is of text, and --tasks was asked for; ask for one of them`);
  const scores = await withModel(run, flags, (model) => taskScores(model, flags));
  const { kvDtype, weights, window } = flags;
  const { name } = run.config;
  if (flags.json) console.log(JSON.stringify({ run: path, name, kvDtype, weights, window, tasks: scores }));
  else console.log(`${name}\n${scoresText(scores)}`);
}

async function runPerplexity(run: RunDirectory, flags: Flags): Promise<void> {
  const { path } = run;
  const own = ownText(run);
  const spec = flags.data ?? own.source;
  if (spec === undefined) throw new InputError("eval: --data is missing; try --data sotu, or a file of your own");
  const field = flags.field ?? (spec === own.source ? own.field : undefined);
  if (flags.data === undefined) checkPlace(own);
  const side = flags.split ?? (spec === own.source || isTextOf(own, spec) ? "validation" : "all");
  const tokenizer = run.loadTokenizer();
  const documents = isPrepared(spec)
    ? shardDocuments(spec, side, run.tokenizer)
    : textDocuments(openSource(spec, { field }), side, tokenizer, own);
  if (side === "validation" && !isPrepared(spec) && own.validationFraction === undefined) {
    console.error(
      `warning: ${path} does not say which part of its documents it held out; ${usualFraction} of them is taken for it`,
    );
  }
  if (flags.probes !== undefined) {
    const found = await withModel(run, flags, ({ judge }) => probeText(judge, documents, tokenizer, flags));
    const { name } = run.config;
    if (flags.json) console.log(JSON.stringify({ run: path, name, data: spec, split: side, probes: found }));
    else console.log(`${name} on ${spec} (${side})\n${probesText(found)}`);
    return;
  }
  if (flags.contexts !== undefined) throw new InputError("eval: --contexts is of probes; name them: --probes position");
  const { kvDtype = "float32", weights = "float32" } = flags;
  const byEngine = flags.kvDtype !== undefined || flags.weights !== undefined;
  const found = await withModel(run, flags, ({ scorer, judge }) =>
    perplexity(scorer, counted(documents, documentProgress(`scoring ${spec}`)), {
      context: judge.longest,
      prefix: tokenizer.prefix.at(-1) ?? tokenizer.endOfText,
    }),
  );
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

/** The same documents, each told to `onDocument` as the n-th. */
async function* counted(
  documents: AsyncIterable<ScoredDocument>,
  onDocument: (documents: number) => void,
): AsyncGenerator<ScoredDocument> {
  let count = 0;
  for await (const document of documents) {
    onDocument(++count);
    yield document;
  }
}

/** The documents of a source, those of a side or all. @throws InputError for the test side where the run kept none apart. */
async function* textDocuments(
  source: Source,
  side: Side,
  tokenizer: Tokenizer,
  { validationFraction = usualFraction, testFraction = 0 }: Partial<CorpusRecord>,
): AsyncGenerator<ScoredDocument> {
  if (side === "test" && testFraction === 0) {
    throw new InputError("eval: --split test is of studies and of text that `crosslayer prepare` made; try validation");
  }
  const score = (text: string) => ({
    tokens: tokenizer.encode(text),
    bytes: countBytes(text),
    words: countWords(text),
  });
  if (side === "all") for await (const text of source.documents()) yield score(text);
  else {
    const divided = new Sides(source.name, validationFraction, testFraction).divide(source.documents());
    for await (const found of divided) if (found.side === side) yield score(found.text);
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
