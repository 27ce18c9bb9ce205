// The options by which a command is told how to run a model and how to draw from it.

import { type Command, Option } from "commander";
import type { EngineOptions } from "../generate/engine-options.ts";
import type { GenerateOptions } from "../generate/request.ts";
import type { RopeScaling } from "../model/config.ts";
import { type KvDtype, kvDtypes, type WeightDtype, weightDtypes } from "../model/formats.ts";
import { ropeScalings } from "../model/rotary.ts";
import { between, from, whole } from "./numbers.ts";

/** What `engineFlags` gives. */
export interface EngineFlags {
  kvMemory: string;
  kvDtype: KvDtype;
  weights: WeightDtype;
  context?: number;
  ropeScaling?: RopeScaling["type"];
  maxSequences?: number;
  threads?: number;
}

/** What `samplingFlags` gives. */
export interface SamplingFlags {
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  repetitionPenalty: number;
  presencePenalty: number;
  frequencyPenalty: number;
  seed: number;
  maxTokens?: number;
  stop?: string[];
  n: number;
  logprobs?: number;
}

/** Adds the options of an engine to a command. */
export function engineFlags(command: Command): Command {
  return command
    .option("--kv-memory <size>", "memory for keys and values: 256MB, 1.5GiB, …", "256MB")
    .addOption(new Option("--kv-dtype <type>", "how keys and values are kept").choices(kvDtypes).default("float32"))
    .addOption(new Option("--weights <type>", "how weights are kept").choices(weightDtypes).default("float32"))
    .option("--context <tokens>", "longest sequence (default: the model's context)", whole(1))
    .addOption(new Option("--rope-scaling <type>", "how to go beyond the context of training").choices(ropeScalings))
    .option("--max-sequences <count>", "most sequences that run at one time (default: 64)", whole(1, 4096))
    .option("--threads <count>", "threads of each operation (default: all cores)", whole(1, 1024));
}

/** The engine's options among flags. */
export function engineOptionsOf(flags: EngineFlags): EngineOptions {
  const { kvMemory, kvDtype, weights, context, ropeScaling, maxSequences, threads } = flags;
  return { kvMemory, kvDtype, weights, context, ropeScaling, maxSequences, threads };
}

/** Adds the options of drawing tokens to a command. */
export function samplingFlags(command: Command): Command {
  return command
    .option("--temperature <t>", "0 takes the likeliest token every time", from(0, 100), 0.8)
    .option("--top-p <p>", "only the likeliest tokens that together have this probability", between(0, 1), 1)
    .option("--top-k <k>", "only the k likeliest tokens; 0 for all", whole(0), 0)
    .option("--min-p <p>", "only tokens with this part of the likeliest one's probability", from(0, 1), 0)
    .option("--repetition-penalty <x>", "above 1 makes what was there less likely", between(0, 1000), 1)
    .option("--presence-penalty <x>", "taken from the logits of tokens already written", from(-2, 2), 0)
    .option("--frequency-penalty <x>", "the same, for each time they were written", from(-2, 2), 0)
    .option("--seed <number>", "the same seed, the same text", whole(0, 0xffffffff), 0)
    .option("--max-tokens <count>", "most tokens to write (default: what the context holds)", whole(1))
    .option("--stop <text...>", "texts that end it, and are not written")
    .option("--n <count>", "texts for each prompt", whole(1, 128), 1)
    .option("--logprobs <count>", "report log-probabilities, and of so many of the likeliest", whole(0, 20));
}

/** The options of drawing among flags. */
export function samplingOf(flags: SamplingFlags): GenerateOptions {
  const { temperature, topP, topK, minP, repetitionPenalty, presencePenalty, frequencyPenalty } = flags;
  const { seed, maxTokens, stop, n, logprobs } = flags;
  return {
    ...{ temperature, topP, topK, minP, repetitionPenalty, presencePenalty, frequencyPenalty },
    ...{ seed, maxTokens, stop, n, logprobs },
  };
}
