// A plan as people read it in a terminal: what fits, device by device, and where cuts split a sharing group.

import pc from "picocolors";
import { bytesText, integerText } from "../charts/quantity.ts";
import { caption } from "../charts/sharing-caption.ts";
import { sharingPicture } from "../charts/sharing-picture.ts";
import { modelName } from "../model/model-name.ts";
import { fittingBlocks } from "../plan/kv-blocks.ts";
import { freeCuts } from "../plan/pipeline.ts";
import type { Capacity, ServingPlan } from "../plan/serving-plan.ts";
import type { PlannedModel } from "./planned-model.ts";

/** Most layers whose sharing is drawn. */
const drawnLayers = 40;

/** The plan, for 80 columns where numbers are of usual size. */
export function planText(planned: PlannedModel, plan: ServingPlan): string {
  const { model, origin } = planned;
  const blocks = [
    pc.bold(modelName(model)) + (origin === undefined ? "" : `  (${origin})`),
    model.layers <= drawnLayers ? sharingPicture(model.sharing) : caption(model.sharing),
    settings(plan),
    fits(plan),
    plan.capacity.devices.length * plan.request.tensor.devices > 1 ? devices(plan) : "",
    cutsText(planned, plan),
    remarks(planned, plan),
  ];
  return blocks.filter((block) => block !== "").join("\n\n");
}

function settings({ request, capacity }: ServingPlan): string {
  const { memory, reserve, weights, kvDtype, blockSize, tensor } = request;
  const stages = capacity.devices.length;
  const count = stages * tensor.devices;
  const split = [
    stages > 1 ? `${stages} pipeline stages` : "",
    tensor.devices > 1 ? `${tensor.devices} tensor parallel` : "",
  ].filter(Boolean);
  return [
    `  ${bytesText(memory)} a device${reserve > 0 ? `, ${bytesText(reserve)} of it reserved` : ""}; ${count} ${count === 1 ? "device" : `devices: ${split.join(" × ")}`}`,
    `  weights ${weights}, keys and values ${kvDtype} in blocks of ${blockSize} tokens`,
  ].join("\n");
}

function fits({ request, capacity, unshared }: ServingPlan): string {
  const { context, batch, blockSize } = request;
  const tokens = (found: Capacity) => found.blocks * blockSize;
  const row = (name: string, of: (found: Capacity) => number, text = integerText, ratio = true) => {
    const [mine, other] = [of(capacity), unshared && of(unshared)];
    if (other === undefined) return [name, text(mine)];
    return [name, text(mine), text(other), ratio && other > 0 ? `×${Number((mine / other).toPrecision(3))}` : ""];
  };
  const table = aligned([
    ...(unshared ? [["", "with sharing", "without", ""]] : []),
    row("weights", (found) => found.weightBytes, bytesText, false),
    row("KV bytes/token", (found) => found.kvBytesPerToken),
    row("tokens in the cache", tokens),
    row(`largest batch at ${integerText(context)} tokens`, (found) => found.batch),
    row(`longest context at batch ${integerText(batch)}`, (found) => found.context),
  ]);
  return unshared?.blocks === 0 ? `${table}\n  Without sharing not one block of cache fits beside the weights.` : table;
}

function devices({ request, capacity }: ServingPlan): string {
  const { kvDtype, memory, reserve, blockSize, tensor } = request;
  const rows = capacity.devices.map((device) => {
    const { stage, first, last, owners, copies, weightBytes, kvBytesPerToken, kv } = device;
    const blocks = fittingBlocks(kv, kvDtype, memory - reserve - weightBytes, blockSize);
    return [
      String(stage),
      first === last ? String(first) : `${first}–${last}`,
      `${owners.length}${copies.length > 0 ? ` + ${copies.length} copied` : ""}`,
      bytesText(weightBytes),
      integerText(kvBytesPerToken),
      integerText(blocks * blockSize),
    ];
  });
  const heads = ["stage", "layers", "KV layers", "weights", "KV B/token", "room for tokens"];
  const lines = [
    `  ${tensor.devices > 1 ? "Each device of a stage" : "Each stage's device"}:`,
    aligned([heads, ...rows]),
  ];
  if (tensor.devices > 1) lines.push(headsText(request.tensor));
  return lines.join("\n");
}

function headsText({ devices: count, heads, kvHeads, kvCopies }: ServingPlan["request"]["tensor"]): string {
  const copied = kvCopies > 1 ? `; fewer KV heads than devices: each is kept ${kvCopies} times, as in vLLM` : "";
  return `  Each has ${heads} of ${count * heads} query heads and ${kvHeads} of ${(count * kvHeads) / kvCopies} KV heads${copied}.`;
}

function cutsText({ model }: PlannedModel, { request, splits, capacity, whole }: ServingPlan): string {
  const { cuts, context, batch } = request;
  const stages = cuts.length + 1;
  if (stages === 1) return "";
  const written = cuts.length === 1 ? `The cut at ${cuts[0]} splits` : `The cuts at ${list(cuts, 8)} split`;
  if (splits.length === 0) return `  ${written} no sharing group: keys and values stay in their stages.`;
  const lines = splits.slice(0, 8).map(({ owner, stage, readers, bytesPerToken }) => {
    const where = readers.map((reader) => `${layers(reader.layers)} in stage ${reader.stage}`);
    return `    layer ${owner} (stage ${stage}) is read by ${where.join(", ")}: ${integerText(bytesPerToken)} bytes/token`;
  });
  if (splits.length > 8) lines.push(`    and ${splits.length - 8} more`);
  const sent = splits.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0);
  const better = whole
    ? `  --cuts ${whole.cuts.join(",")} splits none: batch ${integerText(whole.capacity.batch)} at ${integerText(context)} tokens (here ${integerText(capacity.batch)}), context ${integerText(whole.capacity.context)} at batch ${integerText(batch)} (here ${integerText(capacity.context)}).`
    : `  No cuts into ${stages} stages keep every group in one: ${most(freeCuts(model.sharing).length + 1)}.`;
  return [
    `  ${written} ${splits.length === 1 ? "a sharing group" : `${splits.length} sharing groups`}:`,
    ...lines,
    `  In all ${integerText(sent)} bytes of keys and values per token are sent between stages, and kept there again.`,
    better,
  ].join("\n");
}

function most(stages: number): string {
  return stages === 1 ? "some group spans every place to cut at" : `at most ${stages} stages do (--pp ${stages})`;
}

function remarks({ model, notes }: PlannedModel, { request, capacity }: ServingPlan): string {
  const longest = Math.max(request.context, capacity.context);
  return [
    `  Counts weights, keys and values; activations and all else must fit in --reserve (${bytesText(request.reserve)}).`,
    ...(longest > model.context
      ? [`  The model's context is ${integerText(model.context)} tokens: memory is not all that longer texts need.`]
      : []),
    ...notes.map((note) => `  ${note}`),
  ].join("\n");
}

function layers(numbers: readonly number[]): string {
  return `${numbers.length === 1 ? "layer" : "layers"} ${list(numbers, 6)}`;
}

function list(numbers: readonly number[], shown: number): string {
  const rest = numbers.length - shown;
  return rest > 0 ? `${numbers.slice(0, shown).join(", ")} and ${rest} more` : numbers.join(", ");
}

/** Lines of cells: the first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "))
    .map((line) => `  ${line}`.trimEnd())
    .join("\n");
}
