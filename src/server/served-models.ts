// All models that are served. Engines are started when first asked for and share one amount of memory for keys and values:
// it moves to where sequences wait for it. Knows no HTTP.

import type { Engine } from "../engine/engine.ts";
import type { EngineOptions } from "../engine/engine-options.ts";
import { InputError } from "../error.ts";
import { divide, type KvDemand } from "./kv-budget.ts";
import { ServedModel } from "./served-model.ts";

/** A run and what requests call it. */
export interface ServedRun {
  readonly id: string;
  readonly path: string;
}

/** How models are served. */
export interface ServedModelsOptions {
  /** Bytes of keys and values of all models together. */
  readonly kvMemory: number;
  /** How each engine is set up. */
  readonly engine?: Omit<EngineOptions, "kvMemory" | "kvLimit">;
  /** Most engines at one time; the one not asked for the longest time makes room. 4 if not given. */
  readonly mostLoaded?: number;
}

/** Milliseconds between looks at who waits for memory. */
const pace = 100;

/** Milliseconds after which a waiting sequence goes before fair shares. */
const patience = 10_000;

/** The models of a server. */
export class ServedModels implements AsyncDisposable {
  readonly kvMemory: number;
  readonly #models: ReadonlyMap<string, ServedModel>;
  readonly #mostLoaded: number;
  readonly #loaded = new Set<ServedModel>();
  readonly #allotted = new Map<ServedModel, number>();
  readonly #waitingSince = new Map<ServedModel, number>();
  readonly #timer: NodeJS.Timeout;
  #change = Promise.resolve(); // one change of the division after the other

  private constructor(models: readonly ServedModel[], kvMemory: number, mostLoaded: number) {
    this.#models = new Map(models.map((model) => [model.id, model]));
    this.kvMemory = kvMemory;
    this.#mostLoaded = mostLoaded;
    this.#timer = setInterval(() => this.#balance(), pace);
    this.#timer.unref();
  }

  /**
   * Opens runs without their weights.
   * @throws InputError if one is no run, two have one id, or the memory does not hold a block of as many as may be loaded.
   */
  static async open(
    runs: readonly ServedRun[],
    { kvMemory, engine = {}, mostLoaded = 4 }: ServedModelsOptions,
  ): Promise<ServedModels> {
    const ids = runs.map(({ id }) => id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) throw new InputError(`serve: two runs would be called ${twice}; name each run once`);
    const models = await Promise.all(runs.map(({ id, path }) => ServedModel.open(id, path, engine)));
    const blocks = models.map(({ blockBytes }) => blockBytes).sort((a, b) => b - a);
    const least = blocks.slice(0, mostLoaded).reduce((sum, bytes) => sum + bytes, 0);
    if (least > kvMemory) {
      throw new InputError(
        `KV memory: ${kvMemory} bytes do not hold one block of each of ${Math.min(models.length, mostLoaded)} models, which take ${least} bytes`,
      );
    }
    return new ServedModels(models, kvMemory, mostLoaded);
  }

  /** Every model, loaded or not. */
  get all(): readonly ServedModel[] {
    return [...this.#models.values()];
  }

  /** A model by its id; undefined if there is none. */
  get(id: string): ServedModel | undefined {
    return this.#models.get(id);
  }

  /** Models whose engines run. */
  get loaded(): readonly (ServedModel & { readonly engine: Engine })[] {
    return this.all.filter((model): model is ServedModel & { readonly engine: Engine } => model.engine !== undefined);
  }

  /** A model's engine, started if it is not; the caller has counted itself in `model.requests`. */
  async engineOf(model: ServedModel): Promise<Engine> {
    model.lastUse = performance.now();
    if (!model.engine) await this.#inTurn(() => this.#load(model));
    return model.engine ?? this.engineOf(model);
  }

  /** Loads a model before it is asked. @throws InputError if its weights are missing or do not suit it. */
  async load(id: string): Promise<void> {
    const model = this.#models.get(id);
    if (model) await this.engineOf(model);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#change.catch(() => {});
    await Promise.all([...this.#loaded].map((model) => model.stop()));
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#change.then(change);
    this.#change = done.catch(() => {});
    return done;
  }

  async #load(model: ServedModel): Promise<void> {
    if (model.engine) return;
    if (this.#loaded.size >= this.#mostLoaded) await this.#unload();
    const share = this.kvMemory / (this.#loaded.size + 1);
    for (const other of this.#loaded) {
      if (this.#bytes(other) > share) await this.#allot(other, Math.floor(share));
    }
    const others = [...this.#loaded].reduce((sum, other) => sum + this.#bytes(other), 0);
    const kvMemory = Math.max(model.blockBytes, Math.floor(Math.min(share, this.kvMemory - others)));
    await model.start(kvMemory, this.#limitOf(model));
    this.#loaded.add(model);
    this.#allotted.set(model, kvMemory);
  }

  /** The most that a model may come to have: all but a block of each of the largest that may be loaded beside it. */
  #limitOf(model: ServedModel): number {
    const others = this.all.filter((other) => other !== model).map(({ blockBytes }) => blockBytes);
    const beside = others.sort((a, b) => b - a).slice(0, this.#mostLoaded - 1);
    return this.kvMemory - beside.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Ends the idle engine that was asked the longest time ago. */
  async #unload(): Promise<void> {
    const order = [...this.#loaded].sort((a, b) => a.lastUse - b.lastUse);
    const idle = order.find(({ requests }) => requests === 0);
    if (!idle) {
      throw new ModelsBusy(`all ${this.#mostLoaded} models that may be loaded at one time are busy`);
    }
    this.#loaded.delete(idle);
    this.#allotted.delete(idle);
    await idle.stop();
  }

  #bytes(model: ServedModel): number {
    return this.#allotted.get(model) ?? 0;
  }

  async #allot(model: ServedModel, bytes: number): Promise<void> {
    const given = Math.max(model.blockBytes, bytes);
    await model.engine?.resize(given).catch(() => {}); // a crashed engine comes back with another size, see `#balance`
    this.#allotted.set(model, given);
  }

  #balance(): void {
    const models = [...this.#loaded];
    if (models.length === 0) return;
    const next = divide(
      this.kvMemory,
      models.map((model) => this.#demandOf(model)),
    );
    if (!next) return;
    void this.#inTurn(async () => {
      if (models.length !== this.#loaded.size || models.some((model) => !this.#loaded.has(model))) return;
      const changes = models.map((model, i) => ({ model, bytes: next[i] as number }));
      changes.sort((a, b) => a.bytes - this.#bytes(a.model) - (b.bytes - this.#bytes(b.model))); // who gives comes first
      for (const { model, bytes } of changes) await this.#allot(model, bytes);
    });
  }

  #demandOf(model: ServedModel): KvDemand {
    const { blocks, wanted, kvBytes } = (model.engine as Engine).stats();
    const block = kvBytes / blocks.total;
    const now = performance.now();
    if (wanted.blocks === 0) this.#waitingSince.delete(model);
    else if (!this.#waitingSince.has(model)) this.#waitingSince.set(model, now);
    const waited = now - (this.#waitingSince.get(model) ?? now);
    const lacking = wanted.first > blocks.total;
    return {
      allotted: this.#bytes(model),
      block,
      used: blocks.used * block,
      wanted: wanted.blocks * block,
      overdue: waited > patience && lacking ? (wanted.first + 1) * block : 0,
    };
  }
}

/** No more models can be loaded now. */
export class ModelsBusy extends Error {
  override readonly name = "ModelsBusy";
}
