// The options by which a command is told a model, and the config they make: a name of the paper's scheme on a scale, a
// depth or a config file, with another sharing if one is given.

import type { Command } from "commander";
import { InputError } from "../error.ts";
import { readWholeText } from "../files/regular-file.ts";
import { type ModelConfig, type ModelOptions, modelConfig } from "../model/config.ts";
import { depthFamily, type Family, namedModel, parseSharing, type Scale, scales } from "../model/name.ts";
import { nearest } from "../study/trials/nearest.ts";
import { whole } from "./numbers.ts";

/** What these options give. */
export interface ModelFlags {
  depth?: number;
  config?: string;
  scale?: string;
  sharing?: string;
}

/** Sizes that the data decides, for configs that do not say. */
export interface DataSizes {
  vocab: number;
  context: number;
}

/** Sizes for configs that do not say, where there is no data either. */
export const standardSizes: DataSizes = { vocab: 4096, context: 2048 };

/** Adds the options to a command. */
export function modelOptions(command: Command): Command {
  return command
    .option("--depth <layers>", "sizes from one number: that many layers, width 32 × depth", whole(1, 128))
    .option("--config <file>", "a JSON file with layers, width, heads, kvHeads, headDim, mlpWidth, …")
    .option("--sharing <pattern>", "which layers share: a factor (2), a pattern (2-KeepEnds) or a list (0,0,2,2)");
}

/** The model that the options tell. `name` may be left out: MQA with CLA2, then. @throws InputError */
export function chosenModel(name: string | undefined, flags: ModelFlags, data: DataSizes): ModelConfig {
  const given = (["depth", "config", "scale"] as const).filter((flag) => flags[flag] !== undefined);
  if (given.length > 1) throw new InputError(`give one of ${given.map((flag) => `--${flag}`).join(" and ")}, not both`);
  if (flags.config !== undefined) {
    if (name !== undefined) throw new InputError("give a model's name or --config, not both");
    return shared(fileModel(flags.config, data), flags.sharing);
  }
  const family =
    flags.scale === undefined ? depthFamily(flags.depth ?? 4, data.vocab, data.context) : scaleFamily(flags.scale);
  const standard = `H${family.width % 64 === 0 ? 64 : 32}-MQA${flags.sharing === undefined && family.layers > 1 ? "-CLA2" : ""}`;
  return shared(namedModel(name ?? standard, family), flags.sharing);
}

function shared(config: ModelConfig, sharing: string | undefined): ModelConfig {
  return sharing === undefined ? config : modelConfig({ ...config, sharing: parseSharing(sharing, config.layers) });
}

function scaleFamily(scale: string): Family {
  const names = Object.keys(scales);
  const found = scales[scale.toLowerCase() as Scale];
  if (found) return found;
  throw new InputError(`--scale: found "${scale}", expected ${names.join(" or ")}${nearest(scale, names)}`);
}

function fileModel(path: string, { vocab, context }: DataSizes): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(readWholeText(path));
  } catch (error) {
    throw new InputError(`--config: ${path} cannot be read: ${(error as Error).message}`);
  }
  if (typeof json !== "object" || json === null) throw new InputError(`--config: ${path} must hold a JSON object`);
  return modelConfig({ vocab, context, ...json } as ModelOptions);
}
