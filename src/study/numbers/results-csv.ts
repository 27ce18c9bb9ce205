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

/** A head and a line per result; what was not measured is empty. */
export function resultsCsv(results: readonly Result[]): string {
  const lines = [
    columns.map(([name]) => name),
    ...results.map((result) => columns.map(([, cell]) => text(cell(result)))),
  ];
  return lines.map((line) => `${line.join(",")}\r\n`).join("");
}

function text(cell: Cell): string {
  if (cell === undefined || (typeof cell === "number" && !Number.isFinite(cell))) return "";
  return typeof cell === "number" || !/[",\r\n]/.test(cell) ? String(cell) : `"${cell.replaceAll('"', '""')}"`;
}
