// One training run on disk: its config, tokenizer, metrics, last checkpoint and final weights. Every file but the metrics
// is replaced whole, so a kill at any moment leaves a run that can be continued. Knows no training.

import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../error.ts";
import { type ModelConfig, type ModelOptions, modelConfig } from "../model/config.ts";
import { parameters } from "../model/parameters.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { removeStale, writeAtomic } from "./atomic-file.ts";
import { fileError } from "./file-error.ts";
import { mayRun, ownMark } from "./process-mark.ts";
import { encodeSafetensors, openSafetensors } from "./safetensors.ts";

const files = {
  config: "config.json",
  tokenizer: "tokenizer.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  model: "model.safetensors",
  lock: "lock",
} as const;

/** What fixes a run. `recipe` and `data` are for those who train; here they are JSON. */
export interface RunConfig {
  readonly format: 1;
  readonly name: string;
  readonly model: ModelConfig;
  readonly recipe: unknown;
  readonly data: unknown;
}

/** Where a training run stands: `state` has whatever numbers its owner needs to go on. */
export interface Checkpoint {
  readonly tensors: Tensors;
  readonly state: Readonly<Record<string, string>>;
}

const schema = z.object({
  format: z.literal(1),
  name: z.string(),
  model: z.looseObject({}),
  recipe: z.unknown(),
  data: z.unknown(),
});

/** A run's directory. */
export class RunDirectory {
  readonly path: string;
  readonly config: RunConfig;
  /** The parsed tokenizer.json. */
  readonly tokenizer: unknown;

  private constructor(path: string, config: RunConfig, tokenizer: unknown) {
    this.path = path;
    this.config = config;
    this.tokenizer = tokenizer;
  }

  /** Whether `path` holds a run. */
  static exists(path: string): boolean {
    return existsSync(join(path, files.config));
  }

  /** Begins a run at `path`, which is made if need be. @throws InputError if there is a run, or no writing. */
  static async create(path: string, config: Omit<RunConfig, "format">, tokenizer: unknown): Promise<RunDirectory> {
    if (RunDirectory.exists(path)) {
      throw new InputError(`${path}: holds a run already; continue it with --resume, or choose another directory`);
    }
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      throw fileError("create", path, error);
    }
    const whole: RunConfig = { format: 1, ...config };
    await writeAtomic(join(path, files.tokenizer), [encode(tokenizer)]);
    await writeAtomic(join(path, files.config), [encode(whole)]); // last: what makes it a run
    return new RunDirectory(path, whole, tokenizer);
  }

  /** Opens the run at `path`. @throws InputError if there is none, or its files are damaged. */
  static async open(path: string): Promise<RunDirectory> {
    if (!RunDirectory.exists(path)) throw new InputError(`${path}: no run here (no ${files.config}); train one first`);
    removeStale(path);
    const parsed = schema.safeParse(await readJson(join(path, files.config)));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new InputError(`${join(path, files.config)}: ${issue?.path.join(".") || "file"}: ${issue?.message}`);
    }
    const model = modelConfig(parsed.data.model as unknown as ModelOptions);
    return new RunDirectory(path, { ...parsed.data, model }, await readJson(join(path, files.tokenizer)));
  }

  /** Claims the run for this process until disposed. @throws InputError while another process has it. */
  lock(): Disposable {
    const path = join(this.path, files.lock);
    for (let tries = 0; tries < 2; tries++) {
      try {
        const file = openSync(path, "wx");
        writeSync(file, ownMark);
        closeSync(file);
        return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError("lock", path, error);
      }
      const mark = readFileSync(path, "utf8");
      if (mark !== "" && mayRun(mark)) {
        throw new InputError(`${this.path}: process ${mark.split("-")[0]} is training here; wait for it or stop it`);
      }
      rmSync(path, { force: true }); // left by a process that was killed
    }
    throw new InputError(`${this.path}: another process is training here; wait for it or stop it`);
  }

  /** Replaces the checkpoint; a kill meanwhile leaves the one before. */
  async saveCheckpoint(tensors: Tensors, state: Readonly<Record<string, number | string>>): Promise<void> {
    const texts = Object.fromEntries(Object.entries(state).map(([key, value]) => [key, String(value)]));
    await this.#save(files.checkpoint, tensors, texts);
  }

  /** The last checkpoint, if there is one. @throws InputError where a byte is not as written. */
  async loadCheckpoint(): Promise<Checkpoint | undefined> {
    const path = join(this.path, files.checkpoint);
    if (!existsSync(path)) return undefined;
    const { tensors, metadata } = await load(path);
    const { checksum: _, ...state } = metadata;
    return { tensors, state };
  }

  /** Writes the final weights. */
  async saveModel(weights: Tensors): Promise<void> {
    await this.#save(files.model, weights, { name: this.config.name });
  }

  /** Removes the checkpoint of a finished run. */
  removeCheckpoint(): void {
    rmSync(join(this.path, files.checkpoint), { force: true });
  }

  /** Whether the run's last step is done. */
  get finished(): boolean {
    return existsSync(join(this.path, files.model));
  }

  /**
   * The weights: the final ones, or the checkpoint's. `ignored` names what the model has no use for, such as a
   * borrower's own keys and values.
   * @throws InputError naming what is missing or misshapen.
   */
  async loadModel(): Promise<{ weights: Tensors; ignored: string[] }> {
    const path = [files.model, files.checkpoint].map((name) => join(this.path, name)).find((file) => existsSync(file));
    if (!path) throw new InputError(`${this.path}: has no weights yet; train it first`);
    const { tensors } = await load(path);
    const weights: Tensors = {};
    for (const { name, shape } of parameters(this.config.model)) {
      const found = tensors[name];
      if (!found) throw new InputError(`${path}: has no tensor ${name}, which ${this.config.name} needs`);
      if (found.dtype !== "float32" || found.shape.join() !== shape.join()) {
        throw new InputError(
          `${path}: ${name} is ${found.dtype} [${found.shape.join(", ")}]; ${this.config.name} needs float32 [${shape.join(", ")}]`,
        );
      }
      weights[name] = found;
    }
    const ignored = Object.keys(tensors).filter((name) => !(name in weights) && !name.startsWith("optimizer."));
    const foreign = ignored.find((name) => !isBorrowersOwn(name, this.config.model));
    if (foreign) throw new InputError(`${path}: has a tensor ${foreign}, which ${this.config.name} does not know`);
    return { weights, ignored };
  }

  /** Adds a line to the metrics. */
  async appendMetrics(row: object): Promise<void> {
    const path = join(this.path, files.metrics);
    await appendFile(path, `${JSON.stringify(row)}\n`).catch((error) => {
      throw fileError("write", path, error);
    });
  }

  /** The metrics, in order; a last line that a kill cut short is left out. */
  async metrics<Row = Record<string, number>>(): Promise<Row[]> {
    const path = join(this.path, files.metrics);
    if (!existsSync(path)) return [];
    const lines = (await readFile(path, "utf8")).split("\n");
    return lines.slice(0, -1).map((line, i) => {
      try {
        return JSON.parse(line) as Row;
      } catch {
        throw new InputError(`${path}, line ${i + 1}: is not JSON; found "${line.slice(0, 40)}"`);
      }
    });
  }

  /** Forgets the metrics of steps after `step`, which will be done again. */
  async truncateMetrics(step: number): Promise<void> {
    const rows = await this.metrics<{ step: number }>();
    const kept = rows.filter((row) => row.step <= step).map((row) => `${JSON.stringify(row)}\n`);
    await writeAtomic(join(this.path, files.metrics), [new TextEncoder().encode(kept.join(""))]);
  }

  async #save(file: string, tensors: Tensors, metadata: Record<string, string>): Promise<void> {
    const [, ...data] = encodeSafetensors(tensors);
    const chunks = encodeSafetensors(tensors, { ...metadata, checksum: sha256(metadata, data) });
    await writeAtomic(join(this.path, file), chunks);
  }
}

async function load(path: string): Promise<{ tensors: Tensors; metadata: Readonly<Record<string, string>> }> {
  await using file = await openSafetensors(path);
  const tensors = await file.readAll();
  const { checksum, ...metadata } = file.metadata;
  const [, ...data] = encodeSafetensors(tensors);
  if (checksum !== undefined && checksum !== sha256(metadata, data)) {
    throw new InputError(
      `${path}: is damaged (its checksum is not that of its contents); use an earlier copy or train again`,
    );
  }
  return { tensors, metadata: file.metadata };
}

function sha256(metadata: Readonly<Record<string, string>>, data: readonly Uint8Array[]): string {
  const hash = createHash("sha256").update(JSON.stringify(Object.entries(metadata).sort()));
  for (const chunk of data) hash.update(chunk);
  return hash.digest("hex");
}

function isBorrowersOwn(name: string, { sharing }: ModelConfig): boolean {
  const layer = Number(/^layers\.(\d+)\.attn\.(?:k|v|kv_norm)(?:\.bias)?$/.exec(name)?.[1] ?? -1);
  return layer >= 0 && layer < sharing.length && sharing[layer] !== layer;
}

function encode(json: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(`${path}: is not JSON: ${error.message}`);
    throw fileError("read", path, error);
  }
}
