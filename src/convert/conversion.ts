// A run converted to another: the directory that is written holds weights, config and tokenizer like any other, and how
// it was made. Knows no command line.

import { encodeChecked } from "../checkpoint/checksum.ts";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import type { ModelConfig } from "../model/config.ts";
import { modelName } from "../model/model-name.ts";
import type { Sharing } from "../model/sharing.ts";
import type { Device } from "../runtime/device.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { isPrepared, openPrepared } from "../text/prepared.ts";
import { openSource } from "../text/source.ts";
import { isHeldOut } from "../text/split.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { calibrate } from "./calibration.ts";
import { documentWindows, shardWindows, type WindowSizes } from "./calibration-text.ts";
import { converted, type Making, mergeMaker } from "./convert.ts";
import type { Init } from "./init.ts";
import { affordableOwners, type Budget, searchedSharing } from "./search.ts";
import { changes, type Merge, targetConfig } from "./target.ts";

/** What to convert, and how. */
export interface ConversionOptions {
  /** The run that is converted, which stays as it is. */
  readonly from: string;
  /** The directory that is written; must hold no run. */
  readonly out: string;
  readonly init: Init;
  /** The sharing for a number of layers; the run's own if neither this nor a budget is given. */
  readonly sharing?: ((layers: number) => Sharing) | undefined;
  /** Searches the sharing instead. */
  readonly budget?: Budget | undefined;
  readonly kvHeads?: number | undefined;
  /** Text to calibrate by, as `openSource` takes it, or prepared; the run's own if not given. */
  readonly calibrate?: string | undefined;
  readonly field?: string | undefined;
  /** Tokens of that text. */
  readonly calibrationTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done, and how far it has come. */
  readonly onProgress?: ((stage: Stage, done: number, total: number) => void) | undefined;
}

/** The parts of a conversion that take time. */
export type Stage = "reading text" | "calibrating" | "searching" | "fitting" | "merging" | "writing";

/** What was converted to what. */
export interface Conversion {
  readonly from: ModelConfig;
  readonly to: ModelConfig;
  /** Whether nothing changed. */
  readonly identical: boolean;
  /** What the search found each of its merges to lose alone: see `Searched`. */
  readonly losses?: Readonly<Record<string, number>> | undefined;
}

/** Tokens of calibration text where nobody says: 32,768, and 16 for every dimension that is fitted at least. */
const standardTokens = (width: number) => Math.max(32768, 16 * width);

/** The longest calibration windows, in tokens. */
const longestWindow = 512;

/**
 * Converts a run. `device` is asked for only where something must be computed.
 * @throws InputError before anything is written.
 */
export async function convertRun(options: ConversionOptions, device: () => Promise<Device>): Promise<Conversion> {
  const { from: path, out, init, budget, kvHeads, signal, onProgress } = options;
  if (RunDirectory.exists(out)) throw new InputError(`${out}: holds a run already; choose another directory`);
  if (options.sharing && budget) throw new InputError("convert: give a sharing or a budget to search one, not both");
  const run = await RunDirectory.open(path);
  const from = run.config.model;
  // What is wrong with the target shows before the weights are read.
  const asked = targetConfig(from, { sharing: options.sharing?.(from.layers), kvHeads });
  if (budget) affordableOwners(budget, from, asked);
  const { tensors } = await run.loadModel();
  const isIdle = !budget && changes(from, asked).length === 0;
  const needsText = budget !== undefined || (init === "fit" && !isIdle);
  const text = needsText ? await calibrationText(run, options, await device()) : undefined;
  const searched =
    budget && text
      ? await searchedSharing(await device(), from, tensors, {
          kvHeads,
          init,
          budget,
          windows: text.windows,
          signal,
          onProgress,
        })
      : undefined;
  const to = searched ? targetConfig(from, { sharing: searched.sharing, kvHeads }) : asked;
  const made = searched?.weights ?? (await weightsOf(to));
  signal?.throwIfAborted();
  onProgress?.("writing", 0, 1);
  const origin = {
    kind: "convert",
    from: { path, name: run.config.name, sharing: from.sharing, kvHeads: from.kvHeads },
    init,
    ...(searched && { search: { ...budget, losses: searched.losses } }),
    ...(text && { calibration: { source: text.source, tokens: text.tokens } }),
    ...(run.config.origin === undefined ? {} : { before: run.config.origin }),
  };
  const { data } = run.config;
  const config = { name: modelName(to), model: to, recipe: null, data, origin };
  await RunDirectory.create(out, config, run.tokenizer, {
    texts: run.texts,
    chatTemplate: await run.chatTemplate(),
    writeModel: (path, origin) => writeAtomic(path, encodeChecked(made, { name: config.name, ...origin })),
  });
  return { from, to, identical: changes(from, to).length === 0, losses: searched?.losses };

  async function weightsOf(target: ModelConfig): Promise<Tensors> {
    const changed = changes(from, target);
    const make = mergeMaker(from, tensors, target.kvHeads, await makingOf(changed));
    for (const [i, merge] of changed.entries()) {
      signal?.throwIfAborted();
      make(merge);
      onProgress?.(init === "fit" ? "fitting" : "merging", i + 1, changed.length);
      await new Promise((resolve) => setImmediate(resolve)); // lets an interrupt be seen
    }
    return converted(from, tensors, target, make);
  }

  async function makingOf(changed: readonly Merge[]): Promise<Making> {
    if (init !== "fit") return { init };
    if (changed.length === 0 || !text) return { init: "owner" }; // there is nothing to fit
    const moments = await calibrate(await device(), from, tensors, text.windows, changed, {
      signal,
      onProgress: (done, total) => onProgress?.("calibrating", done, total),
    });
    return { init, moments };
  }
}

/** The text that a run is calibrated by, as windows. @throws InputError where there is none, or too little. */
async function calibrationText(
  run: RunDirectory,
  { calibrate: asked, field, calibrationTokens, onProgress }: ConversionOptions,
  device: Device,
): Promise<{ source: string; tokens: number; windows: Tensor<"int32">[] }> {
  const own = (run.config.data ?? {}) as {
    source?: string;
    field?: string;
    validationFraction?: number;
    testFraction?: number;
  };
  const spec = asked ?? own.source;
  if (spec === undefined) {
    throw new InputError("convert: --calibrate is missing, and the run knows no text of its own; try --calibrate sotu");
  }
  const { context, width } = run.config.model;
  const length = Math.min(context, longestWindow);
  const batch = Math.max(1, Math.floor(device.traits.scoredTokens / length));
  const sizes: WindowSizes = { tokens: calibrationTokens ?? standardTokens(width), length, batch };
  onProgress?.("reading text", 0, 1);
  const windows = isPrepared(spec) ? await preparedWindows(spec) : await sourceWindows(run.loadTokenizer());
  return { source: spec, tokens: windows.length * batch * length, windows };

  async function preparedWindows(directory: string): Promise<Tensor<"int32">[]> {
    const { data, tokenizer } = await openPrepared(directory);
    using _data = data;
    if (JSON.stringify(tokenizer.json) !== JSON.stringify(run.tokenizer)) {
      throw new InputError(
        `--calibrate: ${directory} was prepared by another tokenizer than the run's; prepare it by the run's`,
      );
    }
    return shardWindows(data.train, sizes);
  }

  async function sourceWindows(tokenizer: Tokenizer): Promise<Tensor<"int32">[]> {
    const source = openSource(spec as string, { field: field ?? (spec === own.source ? own.field : undefined) });
    const [start] = tokenizer.prefix.length > 0 ? tokenizer.prefix : [tokenizer.endOfText];
    async function* documents() {
      for await (const document of source.documents()) {
        if (isHeldOut(document, own.validationFraction, own.testFraction)) continue; // what quality is measured on must not be fitted to
        yield [start as number, ...tokenizer.encode(document)];
      }
    }
    return documentWindows(documents(), sizes);
  }
}
