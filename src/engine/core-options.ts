// How a model is run, in token ids: the options that the core declares and its callers' options build on.

import { z } from "zod";
import { kvDtypes, weightDtypes } from "../model/formats.ts";
import { blockSize } from "../plan/kv-blocks.ts";

const count = z.int().min(1);

/** How sequences are batched. */
export const batchingSchema = z.object({
  /** Bytes that `resize` may come to give: requests that would fit those are taken, and wait. What there is if not given. */
  kvLimit: z.number().optional(),
  /** Most prompt tokens of a step, a multiple of the block size. */
  chunk: count.default(256).describe("most prompt tokens of a step"),
  /** Most sequences that run at one time. */
  maxSequences: count.max(4096).default(64).describe("most sequences that run at one time"),
  /** Whether what begins alike is computed once. */
  prefixCache: z.boolean().default(true).describe("compute what begins alike once"),
});

/** The options with their defaults. */
export const coreSchema = z.object({
  ...batchingSchema.shape,
  /** Bytes for keys and values. */
  kvMemory: z.number(),
  /** How keys and values are kept; int8 takes about a quarter of float32. */
  kvDtype: z.enum(kvDtypes).default("float32").describe("how keys and values are kept"),
  /** How weights are kept; int8 and int4 are rounded when they are loaded. */
  weights: z
    .enum(weightDtypes)
    .default("float32")
    .describe("how weights are kept; w8a8 rounds what they multiply to 8 bits too, and is the fastest"),
  /** Tokens of a block of the cache. */
  blockSize: count.default(blockSize).describe("tokens of a block of the cache"),
});

/** How sequences are batched. */
export type BatchingOptions = Readonly<z.input<typeof batchingSchema>>;

/** How a model is run. */
export type CoreOptions = Readonly<z.input<typeof coreSchema>>;
