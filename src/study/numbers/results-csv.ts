// Results as a table that spreadsheets, R and pandas read: a row per run (CSV, RFC 4180).

import { modelName } from "../../model/model-name.ts";
import type { Result } from "./result.ts";

type Cell = string | number | undefined;

/** The columns: a name, and what stands there. */
const columns: readonly [name: string, cell: (result: Result) => Cell][] = [
  ["key", ({ key }) => key],
  ["model", ({ name }) => name],
  ["scheme", ({ model }) => modelName(model)],
  ["seed", ({ seed }) => seed],
  ["purpose", ({ purpose = "report" }) => purpose],
  ["learning_rate", ({ learningRate }) => learningRate],
  ["steps", ({ steps }) => steps],
  ["tokens", ({ tokens }) => tokens],
  ["precision", ({ precision = "float32" }) => precision],
  ["device", ({ device = "cpu" }) => device],
  ["layers", ({ model }) => model.layers],
  ["width", ({ model }) => model.width],
  ["heads", ({ model }) => model.heads],
  ["kv_heads", ({ model }) => model.kvHeads],
  ["head_dim", ({ model }) => model.headDim],
  ["mlp_width", ({ model }) => model.mlpWidth],
  ["sharing", ({ model }) => model.sharing.join(" ")],
  ["parameters", ({ parameters }) => parameters.total],
  ["parameters_without_embeddings", ({ parameters }) => parameters.nonEmbedding],
  ["kv_bytes_per_token_float32", ({ kvBytesPerToken }) => kvBytesPerToken],
  ["validation_loss", ({ validation }) => validation.loss],
  ["validation_perplexity", ({ validation }) => validation.perplexity],
  ["validation_bits_per_byte", ({ validation }) => validation.bitsPerByte],
  ["test_loss", ({ test }) => test?.loss],
  ["test_perplexity", ({ test }) => test?.perplexity],
  ["test_bits_per_byte", ({ test }) => test?.bitsPerByte],
  ["seconds", ({ seconds }) => seconds],
  ["tokens_per_second", ({ tokensPerSecond }) => tokensPerSecond],
  ["data", ({ dataset }) => dataset.source],
  ["data_identity", ({ dataset }) => dataset.identity],
];

/** A head and a line per result; what was not measured is empty. Tasks have two columns a metric, as far as any was asked. */
export function resultsCsv(results: readonly Result[]): string {
  const all = [...columns, ...taskColumns(results)];
  const lines = [
    all.map(([name]) => text(name)),
    ...results.map((result) => all.map(([, cell]) => text(cell(result)))),
  ];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

/** `blimp_acc` and `blimp_acc_standard_error`, for every metric of every task that a result has. */
function taskColumns(results: readonly Result[]): (typeof columns)[number][] {
  const metrics = results.flatMap(({ tasks = {} }) =>
    Object.entries(tasks).flatMap(([task, { metrics }]) =>
      Object.keys(metrics).map((metric) => [task, metric] as const),
    ),
  );
  const named = new Map(metrics.map(([task, metric]) => [`${task}_${metric}`, [task, metric] as const]));
  return [...named].flatMap(([name, [task, metric]]): (typeof columns)[number][] => [
    [name, ({ tasks }) => tasks?.[task]?.metrics[metric]?.value],
    [`${name}_standard_error`, ({ tasks }) => tasks?.[task]?.metrics[metric]?.standardError],
  ]);
}

function text(cell: Cell): string {
  if (cell === undefined || (typeof cell === "number" && !Number.isFinite(cell))) return "";
  return typeof cell === "number" || !/[",\r\n]/.test(cell) ? String(cell) : `"${cell.replaceAll('"', '""')}"`;
}
