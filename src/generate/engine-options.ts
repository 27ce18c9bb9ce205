// How an engine is set up, and what it says of itself once it is.

import { z } from "zod";
import { InputError } from "../error.ts";
import type { ModelConfig, RopeScaling } from "../model/config.ts";
import { type KvDtype, kvDtypes, type WeightDtype, weightDtypes } from "../model/formats.ts";
import { ropeScalings } from "../model/rotary.ts";
import { memorySize } from "../plan/memory-size.ts";

const count = z.int().min(1);

const schema = z.strictObject({
  kvMemory: z.union([z.string(), z.number()]).default("256MB"),
  kvLimit: z.union([z.string(), z.number()]).optional(),
  kvDtype: z.enum(kvDtypes).default("float32"),
  weights: z.enum(weightDtypes).default("float32"),
  threads: count.max(1024).optional(),
  context: count.optional(),
  ropeScaling: z.enum(ropeScalings).optional(),
  maxSequences: count.max(4096).optional(),
  blockSize: count.optional(),
  chunk: count.optional(),
  prefixCache: z.boolean().optional(),
});

/** How to set an engine up. */
export interface EngineOptions {
  /** Memory for keys and values: bytes, or a text such as "256MB", "1.5GiB". 256MB if not given. */
  readonly kvMemory?: number | string;
  /** What `resize` may come to give: requests that would fit it are taken, and wait. `kvMemory` if not given. */
  readonly kvLimit?: number | string;
  /** How keys and values are kept; int8 takes about a quarter of float32. */
  readonly kvDtype?: KvDtype;
  /** How weights are kept; int8 and int4 are rounded when they are loaded. */
  readonly weights?: WeightDtype;
  /** Threads of each operation; all cores if not given. */
  readonly threads?: number;
  /** Longest sequence, if other than the model's context; longer ones need `ropeScaling`. */
  readonly context?: number;
  readonly ropeScaling?: RopeScaling["type"];
  /** Most sequences that run at one time; 64 if not given. */
  readonly maxSequences?: number;
  /** Tokens of a block of the cache; 128 if not given. */
  readonly blockSize?: number;
  /** Most prompt tokens of a step, a multiple of the block size; 256 if not given. */
  readonly chunk?: number;
  /** Whether what begins alike is computed once; true if not given. */
  readonly prefixCache?: boolean;
}

/** Options with the defaults filled in; memory in bytes. */
export type ResolvedOptions = Omit<z.output<typeof schema>, "kvMemory" | "kvLimit"> & {
  readonly kvMemory: number;
  readonly kvLimit: number;
};

/** Checks options. @throws InputError naming the one that is wrong. */
export function engineOptions(options: EngineOptions): ResolvedOptions {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(`engine: ${issue?.path.join(".") || "options"}: ${issue?.message}`);
  }
  const bytes = (amount: string | number) => (typeof amount === "number" ? amount : memorySize(amount));
  const kvMemory = bytes(parsed.data.kvMemory);
  return { ...parsed.data, kvMemory, kvLimit: Math.max(kvMemory, bytes(parsed.data.kvLimit ?? kvMemory)) };
}

/** What an engine runs. */
export interface EngineInfo {
  /** The model's name in the paper's scheme. */
  readonly name: string;
  /** The model as it runs: a longer context and its scaling are part of it. */
  readonly config: ModelConfig;
  readonly kvDtype: KvDtype;
  readonly weights: WeightDtype;
  /** Bytes allocated for keys and values, and bytes that a token takes. */
  readonly kvBytes: number;
  readonly kvBytesPerToken: number;
  /** Tokens that the cache holds in all. */
  readonly kvTokens: number;
  /** The most tokens of one sequence. */
  readonly longest: number;
}
