// How an engine is set up, and what it says of itself once it is.

import { z } from "zod";
import { coreSchema } from "../engine/core-options.ts";
import type { ModelConfig } from "../model/config.ts";
import { ropeScalings } from "../model/rotary.ts";
import { checked } from "../options.ts";
import { bytesOf, memoryAmount } from "../plan/memory-amount.ts";

/** The options with their defaults; memory becomes bytes. */
export const engineSchema = z.strictObject({
  ...coreSchema.shape,
  /** Memory for keys and values: bytes, or a text such as "256MB", "1.5GiB". */
  kvMemory: memoryAmount.default("256MB").transform(bytesOf).describe("memory for keys and values: 256MB, 1.5GiB, …"),
  /** What `resize` may come to give: requests that would fit it are taken, and wait. `kvMemory` if not given. */
  kvLimit: memoryAmount.transform(bytesOf).optional(),
  /** Threads of each operation; all cores if not given. */
  threads: z.int().min(1).max(1024).optional().describe("threads of each operation (default: all cores)"),
  /** Longest sequence, if other than the model's context; longer ones need `ropeScaling`. */
  context: z.int().min(1).optional().describe("longest sequence (default: the model's context)"),
  /** Seconds that one step may take. */
  stepTimeout: z
    .number()
    .min(1)
    .max(255)
    .default(240)
    .describe("seconds after which a step hangs, and its process is ended"),
  ropeScaling: z.enum(ropeScalings).optional().describe("how to go beyond the context of training"),
});

/** How to set an engine up. */
export type EngineOptions = Readonly<z.input<typeof engineSchema>>;

/** Options with the defaults filled in; memory in bytes. */
export type ResolvedOptions = Readonly<z.output<typeof engineSchema>> & { readonly kvLimit: number };

/** Checks options. @throws InputError naming the one that is wrong. */
export function engineOptions(options: EngineOptions): ResolvedOptions {
  const resolved = checked(engineSchema, options, "engine");
  const { kvMemory, kvLimit = kvMemory } = resolved;
  return { ...resolved, kvLimit: Math.max(kvMemory, kvLimit) };
}

/** What an engine runs. */
export interface EngineInfo {
  /** The model's name in the paper's scheme. */
  readonly name: string;
  /** The model as it runs: a longer context and its scaling are part of it. */
  readonly config: ModelConfig;
  readonly kvDtype: ResolvedOptions["kvDtype"];
  readonly weights: ResolvedOptions["weights"];
  /** Bytes allocated for keys and values, and bytes that a token takes. */
  readonly kvBytes: number;
  readonly kvBytesPerToken: number;
  /** Tokens that the cache holds in all. */
  readonly kvTokens: number;
  /** The most tokens of one sequence. */
  readonly longest: number;
}
