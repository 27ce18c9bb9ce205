// What each device holds when a model is split in both ways: stages of layers, and each stage over several devices, which
// hold equally much. A stage that reads another's keys and values keeps a copy of them.

import type { ModelConfig } from "../model/config.ts";
import { type KvShape, kvBytesPerToken } from "../model/cost.ts";
import type { KvFormat, WeightFormat } from "../model/formats.ts";
import { owners, unshared } from "../model/sharing.ts";
import { sites } from "../model/sites.ts";
import { type Stage, splitGroups, stagesOf } from "./pipeline.ts";
import { shardShape, type TensorSplit } from "./tensor-parallel.ts";
import { type KeptTensor, keptTensors, tensorBytes } from "./weight-bytes.ts";

/** Each device of a stage. */
export interface StageDevice extends Stage {
  readonly stage: number;
  /** Layers of the stage that keep keys and values. */
  readonly owners: readonly number[];
  /** Owners in earlier stages whose keys and values are kept here too. */
  readonly copies: readonly number[];
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
  /** The cache of this device: `kvBytesPerToken` by its dtype, and blocks, follow from it. */
  readonly kv: KvShape;
}

/** How a model is laid out. */
export interface Layout {
  readonly weights: WeightFormat;
  readonly kvDtype: KvFormat;
  readonly tensor: TensorSplit;
  /** First layers of all stages but the first. */
  readonly cuts: readonly number[];
}

/** The devices, one of each stage. */
export function stageDevices(config: ModelConfig, { weights, kvDtype, tensor, cuts }: Layout): StageDevice[] {
  const splits = splitGroups(config.sharing, cuts);
  const tensors = keptTensors(config, weights);
  // A tied table that is not rounded is one tensor, which embeds in the first stage and scores in the last.
  const tied = !tensors.some(({ site }) => site === sites.head);
  const isIn = ({ site, layer }: KeptTensor, { first, last }: Stage) => {
    if (layer !== undefined) return first <= layer && layer <= last;
    const isLast = last === config.layers - 1;
    return site.in === "entry" ? first === 0 || (isLast && tied) : isLast;
  };
  return stagesOf(cuts, config.layers).map((stage, index) => {
    const bytes = tensors
      .filter((tensor) => isIn(tensor, stage))
      .map((kept) => tensorBytes({ ...kept, shape: shardShape(kept, config, tensor) }, weights));
    const own = owners(config.sharing).filter((owner) => stage.first <= owner && owner <= stage.last);
    const copies = splits
      .filter(({ readers }) => readers.some((reader) => reader.stage === index))
      .map(({ owner }) => owner);
    const kv = { kvHeads: tensor.kvHeads, headDim: config.headDim, sharing: unshared(own.length + copies.length) };
    return {
      ...{ stage: index, ...stage, owners: own, copies, kv },
      weightBytes: bytes.reduce((sum, size) => sum + size, 0),
      kvBytesPerToken: kvBytesPerToken(kv, kvDtype),
    };
  });
}
