// What can be served in so much memory: how many sequences of a length, how long ones, beside the same model without
// sharing. Counts weights, keys and values, and a reserve that the caller gives; it knows nothing of activations.

import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { kvBytesPerToken, unsharedTwin } from "../model/cost.ts";
import { type WeightFormat, weightFormats } from "../model/formats.ts";
import { isShared } from "../model/sharing.ts";
import { type Layout, type StageDevice, stageDevices } from "./devices.ts";
import { fittingBlocks, kvBlockBytes, longestContext, sequencesThatFit } from "./kv-blocks.ts";
import { nearestFreeCuts, type SplitGroup, splitGroups } from "./pipeline.ts";
import { weightBytes } from "./weight-bytes.ts";

/** What to plan for. */
export interface PlanRequest extends Layout {
  /** Bytes of each device, and those of them for neither weights nor keys and values. */
  readonly memory: number;
  readonly reserve: number;
  /** Tokens of the sequences to count, and sequences whose tokens to count. */
  readonly context: number;
  readonly batch: number;
  /** Tokens of a block. */
  readonly blockSize: number;
}

/** What a model takes, and what fits beside its weights. */
export interface Capacity {
  /** Of the whole model, on one device. */
  readonly weightBytes: number;
  readonly kvBytesPerToken: number;
  readonly devices: readonly StageDevice[];
  /** Blocks that fit on every device; a sequence takes its blocks on all of them. 0 if the weights do not fit. */
  readonly blocks: number;
  /** Most sequences of the context asked. */
  readonly batch: number;
  /** Longest sequences of the batch asked, in tokens. */
  readonly context: number;
}

/** A plan. */
export interface ServingPlan {
  readonly request: PlanRequest;
  readonly capacity: Capacity;
  /** The same without sharing; undefined if nothing is shared. Blocks are 0 where its weights do not fit. */
  readonly unshared: Capacity | undefined;
  /** Groups that the cuts split, with the bytes that each sends for a token, to all later stages that read it. */
  readonly splits: readonly (SplitGroup & { readonly bytesPerToken: number })[];
  /** Where groups are split: the nearest cuts that split none, and what would fit; undefined if there are none. */
  readonly whole: { readonly cuts: readonly number[]; readonly capacity: Capacity } | undefined;
}

/** Plans for a model. @throws InputError, saying what is missing, if its weights and a block of cache do not fit. */
export function servingPlan(config: ModelConfig, request: PlanRequest): ServingPlan {
  const capacity = capacityOf(config, request);
  checkFits(capacity, request);
  const { cuts, kvDtype, tensor } = request;
  const perOwner = tensor.devices * kvBytesPerToken({ ...config, kvHeads: tensor.kvHeads, sharing: [0] }, kvDtype);
  const splits = splitGroups(config.sharing, cuts).map((split) => ({
    ...split,
    bytesPerToken: split.readers.length * perOwner,
  }));
  const whole = splits.length > 0 ? nearestFreeCuts(config.sharing, cuts) : undefined;
  return {
    request,
    capacity,
    unshared: isShared(config.sharing) ? capacityOf(unsharedTwin(config), request) : undefined,
    splits,
    whole: whole && { cuts: whole, capacity: capacityOf(config, { ...request, cuts: whole }) },
  };
}

/** What fits, if anything does. */
export function capacityOf(config: ModelConfig, request: PlanRequest): Capacity {
  const { weights, kvDtype, memory, reserve, context, batch, blockSize } = request;
  const devices = stageDevices(config, request);
  const fits = ({ kv, weightBytes: taken }: StageDevice) =>
    fittingBlocks(kv, kvDtype, memory - reserve - taken, blockSize);
  const blocks = Math.min(...devices.map(fits));
  return {
    weightBytes: weightBytes(config, weights),
    kvBytesPerToken: kvBytesPerToken(config, kvDtype),
    devices,
    blocks,
    batch: sequencesThatFit(blocks, context, blockSize),
    context: longestContext(blocks, batch, blockSize),
  };
}

function checkFits({ devices }: Capacity, { memory, reserve, kvDtype, blockSize, weights }: PlanRequest): void {
  const room = memory - reserve;
  const have = `${amount(memory)} a device${reserve > 0 ? ` less ${amount(reserve)} of reserve` : ""}`;
  for (const { stage, kv, weightBytes: taken } of devices) {
    const where = devices.length > 1 ? ` of stage ${stage}` : "";
    if (taken > room) {
      throw new InputError(
        `memory: ${have} cannot hold the weights${where}, ${amount(taken)} in ${weights}: ${amount(taken - room)} are missing; use ${remedies(weights)}`,
      );
    }
    const block = kvBlockBytes(kv, kvDtype, blockSize);
    if (taken + block > room) {
      throw new InputError(
        `memory: ${have} leave ${amount(room - taken)} beside the weights${where}; one block of ${blockSize} tokens takes ${amount(block)}, so ${amount(taken + block - room)} are missing; use ${remedies(weights)}`,
      );
    }
  }
}

const fewestBits = Math.min(...Object.values(weightFormats).map(({ bits }) => bits));

function remedies(weights: WeightFormat): string {
  const fewer = weightFormats[weights].bits > fewestBits ? "weights of fewer bits, " : "";
  return `more memory, ${fewer}or more devices (tensor or pipeline parallel)`;
}

/** Decimal, as memory is sold; to the byte where it is little. */
function amount(bytes: number): string {
  if (bytes < 1e6) return `${bytes} bytes`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
