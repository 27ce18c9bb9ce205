// How a model is run, in token ids: the options that the core declares and its callers' options build on.

import { z } from "zod";
import { blockSize } from "../plan/kv-blocks.ts";

const count = z.int().min(1);

/** The options with their defaults. */
export const coreSchema = z.object({
  /** Bytes for keys and values. */
  kvMemory: z.number(),
  /** Bytes that `resize` may come to give: requests that would fit those are taken, and wait. `kvMemory` if not given. */
  kvLimit: z.number().optional(),
  /** How keys and values are kept; int8 takes about a quarter of float32. */
  kvDtype: z.enum(["float32", "int8"]).default("float32").describe("how keys and values are kept"),
  /** How weights are kept; int8 and int4 are rounded when they are loaded. */
  weights: z.enum(["float32", "int8", "int4"]).default("float32").describe("how weights are kept"),
  /** Tokens of a block of the cache. */
  blockSize: count.default(blockSize).describe("tokens of a block of the cache"),
  /** Most prompt tokens of a step, a multiple of the block size. */
  chunk: count.default(256).describe("most prompt tokens of a step"),
  /** Most sequences that run at one time. */
  maxSequences: count.max(4096).default(64).describe("most sequences that run at one time"),
  /** Whether what begins alike is computed once. */
  prefixCache: z.boolean().default(true).describe("compute what begins alike once"),
});

/** How a model is run. */
export type CoreOptions = Readonly<z.input<typeof coreSchema>>;
