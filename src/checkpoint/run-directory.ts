// One training run on disk: its config, tokenizer, metrics, last checkpoint and final weights. Every file but the metrics
// is replaced whole, so a kill at any moment leaves a run that can be continued. Weights say what config and tokenizer
// they were made with, so that one that was changed since is found, by name. Knows no training.

import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { removeStale, writeAtomic } from "../files/atomic-file.ts";
import { parseJson } from "../files/json-file.ts";
import { lockDirectory } from "../files/lock.ts";
import { readWhole, readWholeText } from "../files/regular-file.ts";
import { digestOf, notAsWritten } from "../files/sealed-json.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Precision } from "../model/precision.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { loadTokenizer, type Tokenizer, type TokenizerOptions } from "../text/tokenizer.ts";
import { encodeChecked, hasChecksum, readChecked } from "./checksum.ts";
import { firstDifference, shown } from "./difference.ts";
import { MetricsLog } from "./metrics-log.ts";
import { beginRun, type RunParts, type WeightsOrigin, weightsOrigin } from "./new-run.ts";
import { type RunConfig, readStoredConfig } from "./run-config.ts";
import { runFiles } from "./run-files.ts";
import { openSafetensors } from "./safetensors.ts";
import { noTextSettings, readTextSettings, type TextSettings } from "./text-settings.ts";
import { inBfloat16, isWeight, pickWeights, type Weights } from "./weights.ts";

/** Where a run stands: parameters, optimizer tensors, and whatever else its owner needs to go on. */
export interface Checkpoint {
  readonly tensors: Tensors;
  readonly state: Readonly<Record<string, string>>;
}

/** A run's directory. */
export class RunDirectory {
  readonly path: string;
  readonly config: RunConfig;
  /** The parsed tokenizer.json. */
  readonly tokenizer: unknown;
  /** The tokens that begin and end its texts, as far as its maker said. */
  readonly texts: TextSettings;
  readonly #tokenizerDigest: string;
  readonly #metrics: MetricsLog;

  private constructor(path: string, config: RunConfig, tokenizer: TokenizerFile, texts: TextSettings) {
    this.path = path;
    this.config = config;
    this.tokenizer = tokenizer.json;
    this.texts = texts;
    this.#tokenizerDigest = tokenizer.digest;
    this.#metrics = new MetricsLog(join(path, runFiles.metrics));
  }

  /** Whether `path` holds a run. */
  static exists(path: string): boolean {
    return existsSync(join(path, runFiles.config));
  }

  /** Begins a run at `path`, which is made if need be. @throws InputError if there is a run already, or no writing. */
  static async create(
    path: string,
    config: RunConfig,
    tokenizer: unknown,
    parts: RunParts = {},
  ): Promise<RunDirectory> {
    const begun = await beginRun(path, config, tokenizer, parts);
    return new RunDirectory(path, begun.config, { json: tokenizer, digest: begun.tokenizerDigest }, begun.texts);
  }

  /** Opens the run at `path`. @throws InputError if there is none, or its config or tokenizer is not as it was written. */
  static async open(path: string): Promise<RunDirectory> {
    if (!RunDirectory.exists(path)) {
      throw new InputError(
        `${path}: no run here (no ${runFiles.config}); make one with crosslayer train --out ${path}`,
      );
    }
    const [configPath, textsPath] = [runFiles.config, runFiles.texts].map((name) => join(path, name)) as [
      string,
      string,
    ];
    const { config, tokenizerDigest, seal } = await readStoredConfig(configPath);
    const tokenizer = await readTokenizerFile(join(path, runFiles.tokenizer));
    const texts = existsSync(textsPath) ? readTextSettings(textsPath) : noTextSettings;
    const run = new RunDirectory(path, config, tokenizer, texts);
    if (seal === "broken") {
      await run.checkCheckpoint(); // what was changed, if the weights can tell
      throw notAsWritten(configPath);
    }
    if (tokenizerDigest !== undefined && tokenizerDigest !== tokenizer.digest) {
      throw run.#otherTokenizer("the run was begun with", tokenizerDigest);
    }
    return run;
  }

  /** The model's tokenizer. @throws InputError if it cannot be read, or has tokens that the model does not score. */
  loadTokenizer(): Tokenizer {
    try {
      return loadTokenizer(this.tokenizer, tokenizerOptions(this.config.model, this.texts));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`${this.path}: ${error.message}`, { cause: error });
    }
  }

  /** How its model's chats are written, in Jinja; undefined where nobody said. @throws InputError if it was changed. */
  async chatTemplate(): Promise<string | undefined> {
    const path = join(this.path, runFiles.chatTemplate);
    const digest = this.texts.chat_template_sha256;
    if (existsSync(path) && (digest === undefined || digest === digestOf(readWhole(path)))) return readWholeText(path);
    if (digest === undefined) return undefined;
    throw new InputError(
      `${path}: is not the chat template that the run was made with; restore it, or, if it is meant, take chat_template_sha256 and checksum out of ${runFiles.texts}`,
    );
  }

  /** Claims the run for this process until disposed, and removes what killed ones left. @throws InputError if taken. */
  lock(): Disposable {
    const lock = lockDirectory(this.path);
    try {
      removeStale(this.path);
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
    return lock;
  }

  /** Whether the run's last step is done. */
  get finished(): boolean {
    return existsSync(join(this.path, runFiles.model));
  }

  /** Whether there is a checkpoint to go on from. */
  get begun(): boolean {
    return existsSync(join(this.path, runFiles.checkpoint));
  }

  /** Replaces the checkpoint; a kill meanwhile leaves the one before. */
  async saveCheckpoint(tensors: Tensors, state: Readonly<Record<string, number | string>>): Promise<void> {
    const texts = Object.fromEntries(Object.entries(state).map(([key, value]) => [key, String(value)]));
    await writeAtomic(join(this.path, runFiles.checkpoint), encodeChecked(tensors, { ...texts, ...this.#origin() }));
  }

  /**
   * Whether the run's weights, the last checkpoint's or the final ones, say what they were made with; undefined where
   * there are none. Reads no tensors.
   * @throws InputError if they were made with another config or tokenizer: says which field, and both values.
   */
  async checkCheckpoint(): Promise<boolean | undefined> {
    const path = this.#first(runFiles.checkpoint, runFiles.model);
    if (path === undefined) return undefined;
    await using file = await openSafetensors(path);
    return this.checkOrigin(path, file.metadata);
  }

  /** The last checkpoint, if there is one. @throws InputError where a byte is not as written. */
  async loadCheckpoint(): Promise<Checkpoint | undefined> {
    const path = join(this.path, runFiles.checkpoint);
    if (!existsSync(path)) return undefined;
    await using file = await openSafetensors(path);
    const { checksum: _, config: __, tokenizer: ___, ...state } = file.metadata;
    const tensors = await readChecked(file);
    this.checkOrigin(path, file.metadata);
    const weights = Object.entries(tensors).filter(([name]) => isWeight(name));
    pickWeights(path, this.config.model, Object.fromEntries(weights)); // another model's would fail later, and worse
    return { tensors, state };
  }

  /** Removes the checkpoint, which a finished run no longer needs. */
  removeCheckpoint(): void {
    rmSync(join(this.path, runFiles.checkpoint), { force: true });
  }

  /** Writes the final weights, float32 or rounded to bfloat16, which is read as float32 again. */
  async saveModel(weights: Tensors, dtype: Precision = "float32"): Promise<void> {
    const kept = dtype === "float32" ? weights : inBfloat16(weights);
    await writeAtomic(
      join(this.path, runFiles.model),
      encodeChecked(kept, { name: this.config.name, ...this.#origin() }),
    );
  }

  /** What tells the run's weights from others: their checksum, or the size of a file that has none. Reads no tensors. */
  async weightsMark(): Promise<string | undefined> {
    const path = this.#first(runFiles.model, runFiles.checkpoint);
    if (path === undefined) return undefined;
    await using file = await openSafetensors(path);
    return file.metadata.checksum ?? `${statSync(path).size} bytes`;
  }

  /** The file of the weights. @throws InputError if there is none. */
  get weightsPath(): string {
    const path = this.#first(runFiles.model, runFiles.checkpoint);
    if (path !== undefined) return path;
    throw new InputError(`${this.path}: has no weights yet; its training has not come to a checkpoint`);
  }

  /** The weights: the final ones, or the last checkpoint's. @throws InputError if they are not the config's. */
  async loadModel(): Promise<Weights> {
    const path = this.weightsPath;
    await using file = await openSafetensors(path);
    const names = file.names.filter(isWeight);
    const tensors = hasChecksum(file)
      ? await readChecked(file, isWeight)
      : Object.fromEntries(await Promise.all(names.map(async (name) => [name, await file.read(name)] as const)));
    this.checkOrigin(path, file.metadata);
    return pickWeights(path, this.config.model, tensors);
  }

  /** Adds a row to the metrics. */
  async appendMetrics(row: object): Promise<void> {
    await this.#metrics.append(row);
  }

  /** The metrics, in order. */
  async metrics<Row = Readonly<Record<string, unknown>>>(): Promise<Row[]> {
    return (await this.#metrics.rows()) as Row[];
  }

  /** Forgets the metrics of steps after `step`, which will be done again. */
  async truncateMetrics(step: number): Promise<void> {
    await this.#metrics.truncate(step);
  }

  /** The path of the first of these files that is there. */
  #first(...names: readonly string[]): string | undefined {
    return names.map((name) => join(this.path, name)).find((file) => existsSync(file));
  }

  #origin(): WeightsOrigin {
    return weightsOrigin(this.config, this.#tokenizerDigest);
  }

  /** Whether the metadata of weights says what they were made with. @throws InputError if that is something else. */
  checkOrigin(path: string, { config, tokenizer }: Readonly<Record<string, string>>): boolean {
    if (config === undefined || tokenizer === undefined) return false;
    const found = firstDifference(parseJson(path, config), JSON.parse(JSON.stringify(this.config)));
    if (found) {
      throw new InputError(
        `${path}: was made with ${found.path} ${shown(found.was)}, ${runFiles.config} has ${shown(found.is)}; restore ${runFiles.config}, or begin another run`,
      );
    }
    if (tokenizer !== this.#tokenizerDigest) throw this.#otherTokenizer(`${path} was made with`, tokenizer);
    return true;
  }

  #otherTokenizer(of: string, digest: string): InputError {
    const [was, is] = [digest, this.#tokenizerDigest].map((text) => text.slice(0, 12));
    const path = join(this.path, runFiles.tokenizer);
    return new InputError(`${path}: is not the tokenizer that ${of} (sha256 ${was}…, found ${is}…); restore it`);
  }
}

/** A tokenizer.json, parsed, and the hash of its bytes. */
interface TokenizerFile {
  readonly json: unknown;
  readonly digest: string;
}

async function readTokenizerFile(path: string): Promise<TokenizerFile> {
  const bytes = readWhole(path);
  return { json: parseJson(path, bytes.toString("utf8")), digest: digestOf(bytes) };
}

/** How a run's tokenizer is read. */
export function tokenizerOptions({ vocab }: Pick<ModelConfig, "vocab">, texts: TextSettings): TokenizerOptions {
  return { modelVocab: vocab, ends: texts.end_token_ids, otherEnd: texts.eos_token, prefix: texts.prefix };
}
