// What fixes a run: its name, its model, how and on what it is trained. Only the model is understood here; recipe and
// data are the trainer's JSON.

import { InputError } from "../error.ts";
import { isObject, readJson } from "../files/json-file.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";

/** What fixes a run. `recipe` and `data` are JSON that only the trainer understands. */
export interface RunConfig {
  readonly name: string;
  readonly model: ModelConfig;
  readonly recipe: unknown;
  readonly data: unknown;
  /** JSON of what it was made from, where weights did not begin at random. */
  readonly origin?: unknown;
}

/** The version of a run's layout that is written, and the only one that is read. */
export const runFormat = 1;

/** A run's config with its model checked and resolved. @throws InputError if the model is wrong. */
export function checkRunConfig({ name, model, recipe, data, origin }: RunConfig): RunConfig {
  return { name, model: modelConfig(model), recipe, data, ...(origin === undefined ? {} : { origin }) };
}

/** Reads a run's `config.json`. @throws InputError that names the file and what is wrong in it. */
export async function readRunConfig(path: string): Promise<RunConfig> {
  const config = await readJson(path);
  const fail = (problem: string) => new InputError(`${path}: ${problem}`);
  if (!isObject(config)) throw fail("must be a JSON object");
  const { format, name, model, recipe, data, origin } = config;
  if (format !== runFormat) {
    throw fail(`format must be ${runFormat}, found ${JSON.stringify(format)}; is it from another version?`);
  }
  if (typeof name !== "string") throw fail("name must be a string");
  if (!isObject(model)) throw fail("model must be an object");
  try {
    return checkRunConfig({ name, model: model as unknown as ModelConfig, recipe, data, origin });
  } catch (error) {
    throw error instanceof InputError ? fail(error.message) : error;
  }
}
