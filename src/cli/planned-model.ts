// Which model a plan is for: a name, a run's directory, or another project's config.json.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readRunConfig } from "../checkpoint/run-config.ts";
import { InputError } from "../error.ts";
import { isObject, readJson } from "../files/json-file.ts";
import { readHuggingFaceConfig } from "../foreign/hugging-face-config.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import { parseSharing } from "../model/name.ts";
import { checkNoStudy } from "./asked-run.ts";
import { chosenModel, type ModelFlags, standardSizes } from "./model-options.ts";

/** A model to plan for. */
export interface PlannedModel {
  readonly model: ModelConfig;
  /** A run's directory, or a foreign model's type and file. */
  readonly origin?: string;
  /** What the plan leaves out, in sentences. */
  readonly notes: readonly string[];
  /** How it is kept where nothing else is said: runs as crosslayer's engine does, others in 16 bits. */
  readonly dtype: "float32" | "float16";
}

/** The model that `target` and the options mean. @throws InputError if there is none. */
export async function plannedModel(
  target: string | undefined,
  flags: ModelFlags & { vocab?: number },
): Promise<PlannedModel> {
  const path = target === undefined ? undefined : configFile(target);
  if (path === undefined) {
    const model = chosenModel(target, flags, {
      ...standardSizes,
      ...(flags.vocab !== undefined && { vocab: flags.vocab }),
    });
    return { model, notes: [], dtype: "float16" };
  }
  const extra = (["depth", "config", "scale", "vocab"] as const).find((flag) => flags[flag] !== undefined);
  if (extra) throw new InputError(`--${extra} is for models by name; ${target} says its sizes itself`);
  const { sharing } = flags;
  const reshared = (model: ModelConfig) =>
    sharing === undefined ? model : modelConfig({ ...model, sharing: parseSharing(sharing, model.layers) });
  const json = await readJson(path);
  if (isObject(json) && "format" in json && "model" in json) {
    const { model } = await readRunConfig(path);
    return { model: reshared(model), origin: target, notes: [], dtype: "float32" };
  }
  const { model, type, notes } = await readHuggingFaceConfig(path);
  return { model: reshared(model), origin: `${type}, ${path}`, notes, dtype: "float16" };
}

/** The file that a path means; undefined for a name. */
function configFile(target: string): string | undefined {
  if (!existsSync(target)) {
    if (/[/\\]|\.json$/.test(target)) throw new InputError(`${target}: no such file or directory; check the path`);
    return undefined;
  }
  if (!statSync(target).isDirectory()) return target;
  checkNoStudy(target);
  const path = join(target, "config.json");
  if (existsSync(path)) return path;
  throw new InputError(
    `${target}: no config.json here; name a run, a Hugging Face model's directory or its config.json`,
  );
}
