// What fixes a run: its name, its model, how and on what it is trained. Only the model is understood here; recipe and
// data are the trainer's JSON.

import { InputError, quoted } from "../error.ts";
import { isObject, parseJson } from "../files/json-file.ts";
import { readWhole } from "../files/regular-file.ts";
import { encodeSealed, notAsWritten, type Seal, sealOf } from "../files/sealed-json.ts";
import { type ModelConfig, modelConfig } from "../model/config.ts";
import { shown } from "./difference.ts";

/** What fixes a run. `recipe` and `data` are JSON that only the trainer understands. */
export interface RunConfig {
  readonly name: string;
  readonly model: ModelConfig;
  readonly recipe: unknown;
  readonly data: unknown;
  /** JSON of what it was made from, where weights did not begin at random. */
  readonly origin?: unknown;
}

/** A run's `config.json` as it was found. */
export interface StoredConfig {
  readonly config: RunConfig;
  /** Of the bytes of the run's tokenizer.json; undefined in runs from before it was kept. */
  readonly tokenizerDigest: string | undefined;
  readonly seal: Seal;
}

/** The version of a run's layout that is written, and the only one that is read. */
export const runFormat = 1;

/** The fields of a `config.json`; runs from before lack the last two. */
const fields = ["format", "name", "model", "recipe", "data", "origin", "tokenizer", "checksum"];

/** A run's config with its model checked and resolved. @throws InputError if the model is wrong. */
export function checkRunConfig({ name, model, recipe, data, origin }: RunConfig): RunConfig {
  return { name, model: modelConfig(model), recipe, data, ...(origin === undefined ? {} : { origin }) };
}

/** The bytes of a `config.json`, which knows its own checksum and its tokenizer's. */
export function encodeRunConfig(config: RunConfig, tokenizerDigest: string): Uint8Array {
  return encodeSealed({ format: runFormat, ...config, tokenizer: tokenizerDigest });
}

/** Reads a run's `config.json`. @throws InputError that names the file and what is wrong in it. */
export async function readRunConfig(path: string): Promise<RunConfig> {
  const { config, seal } = await readStoredConfig(path);
  if (seal === "broken") throw notAsWritten(path);
  return config;
}

/** As `readRunConfig`, for who can tell more of a file that is not as it was written. */
export async function readStoredConfig(path: string): Promise<StoredConfig> {
  const bytes = readWhole(path);
  const json = parseJson(path, bytes.toString("utf8"));
  const fail = (problem: string) => new InputError(`${path}: ${problem}`);
  if (!isObject(json)) throw fail("must be a JSON object");
  const { format, name, model, recipe, data, origin, tokenizer } = json;
  if (format !== runFormat) {
    throw fail(`format must be ${runFormat}, found ${shown(format)}; is it from another version?`);
  }
  if (typeof name !== "string") throw fail("name must be a string");
  if (!isObject(model)) throw fail("model must be an object");
  if (tokenizer !== undefined && typeof tokenizer !== "string") throw fail("tokenizer must be a checksum");
  const extra = Object.keys(json).find((key) => !fields.includes(key));
  if (extra !== undefined) throw fail(`has an unknown field ${quoted(extra)}; the file is damaged`);
  try {
    const config = checkRunConfig({ name, model: model as unknown as ModelConfig, recipe, data, origin });
    const seal = sealOf(bytes);
    return { config, tokenizerDigest: tokenizer, seal: seal === "absent" && "checksum" in json ? "broken" : seal };
  } catch (error) {
    throw error instanceof InputError ? fail(error.message) : error;
  }
}
