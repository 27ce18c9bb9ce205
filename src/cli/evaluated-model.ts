// A run that is evaluated: its weights on a device, by the training graph or by the engine's arithmetic.

import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { CachedScorer } from "../eval/cached-scorer.ts";
import { BucketJudge, type Judge, plainJudge } from "../eval/judge.ts";
import type { WindowScorer } from "../eval/scorer.ts";
import type { KvDtype, WeightDtype } from "../model/formats.ts";
import type { Precision } from "../model/precision.ts";
import { type Device, putAll } from "../runtime/device.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type DeviceFlags, openAsked, precisionOn } from "./device-options.ts";

/** What the options give. */
export interface ModelFlags extends DeviceFlags {
  kvDtype?: KvDtype;
  weights?: WeightDtype;
  window?: number;
}

/** A model to ask. */
export interface EvaluatedModel {
  readonly tokenizer: Tokenizer;
  /** Windows of any lengths, in any number. */
  readonly judge: Judge;
  /** Windows of texts, most of them as long as the context, as they come. */
  readonly scorer: WindowScorer;
  readonly device: Device;
}

/** Windows of texts shorter than this many tokens are padded to it, as a study that measures a trial pads them. */
const shortestText = 1024;

/** Opens a run's model, does `work` with it, and closes it. @throws InputError where --window is beyond its context. */
export async function withModel<T>(
  run: RunDirectory,
  flags: ModelFlags,
  work: (model: EvaluatedModel) => Promise<T>,
): Promise<T> {
  const { model: config } = run.config;
  const longest = flags.window ?? config.context;
  if (longest > config.context) {
    throw new InputError(`eval: --window ${longest} is more than the model's context of ${config.context} tokens`);
  }
  const { tensors } = await run.loadModel();
  const tokenizer = run.loadTokenizer();
  await using device = await openAsked(flags);
  const stored = (run.config.recipe as { precision?: Precision } | undefined)?.precision;
  const precision = precisionOn(device, flags.precision ?? (device.traits.memory === "device" ? stored : undefined));
  if (flags.kvDtype !== undefined || flags.weights !== undefined) {
    const { kvDtype = "float32", weights = "float32" } = flags;
    using cached = await CachedScorer.create(device, config, tensors, { longest, kvDtype, weights });
    return await work({ device, tokenizer, judge: plainJudge(cached, longest), scorer: cached });
  }
  const placed = putAll(device, tensors);
  using judge = new BucketJudge(device, config, placed, { longest, precision });
  using texts = new BucketJudge(device, config, placed, { longest, shortest: shortestText, precision });
  return await work({ device, tokenizer, judge, scorer: texts.stream });
}
