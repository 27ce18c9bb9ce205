// All models that are served. Engines start when first asked for and share one amount of memory for keys and values: it
// moves to where sequences wait for it. Knows no HTTP.

import { InputError } from "../error.ts";
import type { Engine } from "../generate/engine.ts";
import type { EngineOptions } from "../generate/engine-options.ts";
import { checkMemory } from "../plan/memory-amount.ts";
import { freeHostBytes } from "../runtime/host-memory.ts";
import { divide, equalShares, type KvDemand } from "./kv-budget.ts";
import { serveSchema } from "./serve-options.ts";
import { ServedModel } from "./served-model.ts";

/** A run and what requests call it. */
export interface ServedRun {
  readonly id: string;
  readonly path: string;
}

/** A model whose engine runs. */
export type LoadedModel = ServedModel & { readonly engine: Engine };

/** How models are served. */
export interface ServedModelsOptions {
  /** Bytes of keys and values of all models together. */
  readonly kvMemory: number;
  /** How each engine is set up. */
  readonly engine?: Omit<EngineOptions, "kvMemory" | "kvLimit">;
  /** Most engines at one time; the one not asked for the longest time makes room. 4 if not given. */
  readonly mostLoaded?: number;
  /** Milliseconds after which a waiting sequence that fits no fair share is let in nevertheless; 10,000 if not given. */
  readonly patience?: number;
}

const standardLoaded = serveSchema.shape.maxLoaded.parse(undefined);

/** Milliseconds between looks at who waits for memory. */
const balanceEveryMs = 100;

/** Milliseconds from a start that failed to the next, and the most that they come to when it fails again and again. */
const reviveAfterMs = { first: 1000, most: 30_000 };

/** A sequence that has waited too long, and has the memory it needs until it ends. */
interface Claim {
  readonly model: ServedModel;
  readonly sequence: number;
}

/** The models of a server. */
export class ServedModels implements AsyncDisposable {
  readonly kvMemory: number;
  readonly #models: ReadonlyMap<string, ServedModel>;
  readonly #mostLoaded: number;
  readonly #patience: number;
  readonly #next = new Map<ServedModel, { sequence: number; since: number }>(); // whoever waits first, and since when
  #claim: Claim | undefined;
  readonly #revivals = new Map<ServedModel, { readonly due: number; readonly wait: number }>(); // of engines that failed
  #balancing = false; // a new division waits for its turn
  readonly #timer: NodeJS.Timeout;
  #change = Promise.resolve(); // one change of the division after the other

  private constructor(
    models: readonly ServedModel[],
    { kvMemory, mostLoaded, patience }: { kvMemory: number; mostLoaded: number; patience: number },
  ) {
    this.#models = new Map(models.map((model) => [model.id, model]));
    this.kvMemory = kvMemory;
    this.#mostLoaded = mostLoaded;
    this.#patience = patience;
    this.#timer = setInterval(() => {
      this.#revive();
      this.#balance();
    }, balanceEveryMs);
    this.#timer.unref();
  }

  /**
   * Opens runs without their weights.
   * @throws InputError if one is no run, two have one id, or the memory does not hold a block of as many as may be loaded.
   */
  static async open(
    runs: readonly ServedRun[],
    { kvMemory, engine = {}, mostLoaded = standardLoaded, patience = 10_000 }: ServedModelsOptions,
  ): Promise<ServedModels> {
    checkMemory("kvMemory", kvMemory, freeHostBytes());
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
    return new ServedModels(models, { kvMemory, mostLoaded, patience });
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
  get loaded(): readonly LoadedModel[] {
    return this.all.filter((model): model is LoadedModel => model.engine !== undefined);
  }

  /** A model's engine, started if it is not; the caller has counted itself in `model.requests`. */
  async engineOf(model: ServedModel): Promise<Engine> {
    model.lastUse = performance.now();
    if (!model.engine) await this.#inTurn(() => this.#load(model));
    else if (model.engine.failure) await this.#inTurn(() => model.recover());
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
    await Promise.all(this.loaded.map((model) => model.stop()));
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#change.then(change);
    this.#change = done.catch(() => {});
    return done;
  }

  async #load(model: ServedModel): Promise<void> {
    if (model.engine) return;
    if (this.loaded.length >= this.#mostLoaded) await this.#unload();
    const others = this.loaded;
    const shares = equalShares(
      this.kvMemory,
      [...others, model].map(({ blockBytes }) => blockBytes),
    );
    for (const [i, other] of others.entries()) {
      if (other.allotted > (shares[i] as number)) await other.allot(shares[i] as number);
    }
    await model.start(shares.at(-1) as number, this.#limitOf(model));
  }

  /** The most that a model may come to have: all but a block of each of the largest that may be loaded beside it. */
  #limitOf(model: ServedModel): number {
    const others = this.all.filter((other) => other !== model).map(({ blockBytes }) => blockBytes);
    const beside = others.sort((a, b) => b - a).slice(0, this.#mostLoaded - 1);
    return this.kvMemory - beside.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Ends the idle engine that was asked the longest time ago. */
  async #unload(): Promise<void> {
    const order = [...this.loaded].sort((a, b) => a.lastUse - b.lastUse);
    const idle = order.find(({ requests }) => requests === 0);
    if (!idle) {
      throw new ModelsBusy(`all ${this.#mostLoaded} models that may be loaded at one time are busy`);
    }
    await idle.stop();
  }

  /** Starts engines anew whose processes have ended, whether or not anybody asks. */
  #revive(): void {
    const now = performance.now();
    for (const model of this.loaded) {
      const { due, wait } = this.#revivals.get(model) ?? { due: now, wait: reviveAfterMs.first };
      if (!model.engine.failure) this.#revivals.delete(model);
      else if (now >= due) {
        this.#revivals.set(model, { due: Number.POSITIVE_INFINITY, wait });
        void this.#inTurn(() => model.recover()).catch(() => {
          const next = Math.min(2 * wait, reviveAfterMs.most); // who asks meanwhile is told why it does not start
          this.#revivals.set(model, { due: performance.now() + wait, wait: next });
        });
      }
    }
  }

  #balance(): void {
    const models = this.loaded;
    if (models.length === 0 || this.#balancing) return;
    this.#claim = this.#claimOf(models);
    const next = divide(
      this.kvMemory,
      models.map((model) => this.#demandOf(model)),
    );
    if (!next) return;
    this.#balancing = true;
    void this.#inTurn(async () => {
      this.#balancing = false;
      const now = this.loaded;
      if (models.length !== now.length || models.some((model, i) => model !== now[i])) return;
      const changes = models.map((model, i) => ({ model, bytes: next[i] as number }));
      changes.sort((a, b) => a.bytes - a.model.allotted - (b.bytes - b.model.allotted)); // who gives comes first
      for (const { model, bytes } of changes) await model.allot(bytes);
    });
  }

  /** The claim that stands, or a new one: of sequences that no fair share holds, the one that has waited longest. */
  #claimOf(models: readonly LoadedModel[]): Claim | undefined {
    const now = performance.now();
    const overdue: { model: ServedModel; sequence: number; since: number }[] = [];
    for (const model of models) {
      if (model.engine.failure) continue;
      const { wanted, runningIds, blocks } = model.engine.stats();
      const claimed = this.#claim?.model === model ? this.#claim.sequence : undefined;
      if (claimed !== undefined && (claimed === wanted.next || runningIds.includes(claimed))) return this.#claim;
      if (wanted.next === undefined) this.#next.delete(model);
      else if (this.#next.get(model)?.sequence !== wanted.next) {
        this.#next.set(model, { sequence: wanted.next, since: now });
      }
      const waiting = this.#next.get(model);
      if (waiting && wanted.first > blocks.total && now - waiting.since > this.#patience)
        overdue.push({ model, ...waiting });
    }
    return overdue.sort((a, b) => a.since - b.since)[0];
  }

  #demandOf(model: LoadedModel): KvDemand {
    const { engine, allotted } = model;
    const { blocks, wanted, runningIds, kvBytes } = engine.stats();
    const block = kvBytes / blocks.total;
    if (engine.failure) return { allotted, block, used: 0, wanted: 0, claim: 0 }; // it holds nothing
    const claimed = this.#claim?.model === model ? this.#claim.sequence : undefined;
    const runs = claimed !== undefined && runningIds.includes(claimed);
    return {
      allotted: Math.max(allotted, kvBytes),
      block,
      used: blocks.used * block,
      wanted: wanted.blocks * block,
      claim: claimed === undefined ? 0 : (1 + (runs ? blocks.used : wanted.first)) * block,
    };
  }
}

/** No more models can be loaded now. */
export class ModelsBusy extends Error {
  override readonly name = "ModelsBusy";
}
