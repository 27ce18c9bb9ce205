// The options by which a command is told how to run a model and how to draw from it: which of the engine's a command line
// has, and what their arguments are called.

import type { Command } from "commander";
import { type EngineOptions, engineSchema } from "../generate/engine-options.ts";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";
import { option } from "./option.ts";

const engineArguments = {
  kvMemory: "<size>",
  kvDtype: "<type>",
  weights: "<type>",
  context: "<tokens>",
  ropeScaling: "<type>",
  maxSequences: "<count>",
  threads: "<count>",
  stepTimeout: "<seconds>",
} as const satisfies Partial<Record<keyof EngineOptions, string>>;

const samplingArguments = {
  temperature: "<t>",
  topP: "<p>",
  topK: "<k>",
  minP: "<p>",
  repetitionPenalty: "<x>",
  presencePenalty: "<x>",
  frequencyPenalty: "<x>",
  seed: "<number>",
  maxTokens: "<count>",
  stop: "<text...>",
  n: "<count>",
  logprobs: "<count>",
} as const satisfies Partial<Record<keyof GenerateOptions, string>>;

/** What `engineFlags` gives. */
export type EngineFlags = Pick<EngineOptions, keyof typeof engineArguments>;

/** What `samplingFlags` gives. */
export type SamplingFlags = Pick<GenerateOptions, keyof typeof samplingArguments>;

/** Adds the options of an engine to a command. */
export function engineFlags(command: Command): Command {
  for (const name of namesOf(engineArguments)) command.addOption(option(engineSchema, name, engineArguments[name]));
  return command;
}

/** The engine's options among flags. */
export function engineOptionsOf(flags: EngineFlags): EngineOptions {
  return picked(flags, namesOf(engineArguments));
}

/** Adds the options of drawing tokens to a command. */
export function samplingFlags(command: Command): Command {
  for (const name of namesOf(samplingArguments)) {
    command.addOption(option(generateSchema, name, samplingArguments[name]));
  }
  return command;
}

/** The options of drawing among flags. */
export function samplingOf(flags: SamplingFlags): GenerateOptions {
  return picked(flags, namesOf(samplingArguments));
}

function namesOf<Names extends object>(names: Names): (keyof Names)[] {
  return Object.keys(names) as (keyof Names)[];
}

function picked<Flags extends object, Name extends keyof Flags>(flags: Flags, names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, flags[name]])) as Pick<Flags, Name>;
}
