// Continuous batching of token sequences on one model: what comes in is queued, each step computes a batch and draws a
// token for every sequence that is due. Knows token ids only, no text, no threads.

import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "../error.ts";
import type { Constraint } from "../grammar/grammar.ts";
import { PagedMemory } from "../kv/paged-memory.ts";
import type { ModelConfig } from "../model/config.ts";
import { checked } from "../options.ts";
import { kvBlocks } from "../plan/kv-blocks.ts";
import { checkMemory } from "../plan/memory-amount.ts";
import type { Device } from "../runtime/device.ts";
import { type Sampled, TokenSampler } from "../sampling/sampler.ts";
import { sampling } from "../sampling/sampling.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { BlockPool } from "./block-pool.ts";
import { type BatchingOptions, batchingSchema, type CoreOptions, coreSchema } from "./core-options.ts";
import { type CoreRequest, checkRequest } from "./core-request.ts";
import { LatencyLog } from "./latency.ts";
import { PromptScores, type ScoredToken, type StepScores, stepScores } from "./prompt-scores.ts";
import { Runner, type StepRunner } from "./runner.ts";
import { countTokens, Scheduler } from "./scheduler.ts";
import { Sequence } from "./sequence.ts";
import { type EngineStats, StepLog } from "./stats.ts";

export type { CoreRequest } from "./core-request.ts";

/** Why a sequence ended: a stop token or string, or its last token's place. */
export type FinishReason = "stop" | "length";

/** What a step did for a sequence: a token, an end, or both; or an error that ended it. */
export interface Emission {
  readonly id: number;
  readonly sampled?: Sampled;
  readonly finish?: FinishReason;
  readonly error?: Error;
  /** Of the prompt's tokens but the first, where they were asked for: with the first emission. */
  readonly prompt?: readonly ScoredToken[];
  /** The stop token that ended it, where the prompt's log-probabilities were asked for. */
  readonly ending?: Sampled;
  /** Tokens of its prompt that were found in the prefix cache. */
  readonly reused: number;
}

interface Live {
  readonly sequence: Sequence;
  readonly sampler: TokenSampler;
  readonly stopTokens: readonly number[];
  readonly constraint?: Constraint;
  readonly prompt?: PromptScores;
  /** Scores to draw from when it is known what may come next. */
  held?: Float32Array;
}

/** How long a step waits in all for what may come next to be known, before it goes on without those who need it. */
const longestWaitMs = 2;

/** A model that generates for many sequences at once. */
export class EngineCore implements Disposable {
  readonly config: ModelConfig;
  readonly #runner: StepRunner;
  readonly #pool: BlockPool;
  readonly #scheduler: Scheduler;
  readonly #most: number; // blocks that there may be
  readonly #live = new Map<number, Live>();
  readonly #log = new StepLog();
  readonly #latency = new LatencyLog();
  readonly #dropped: number[] = []; // cancelled while a step runs on their blocks
  #stepping = false;
  #step: Promise<unknown> = Promise.resolve(); // the last one
  #nextId = 0;

  /** Batches sequences on what computes their steps, which it disposes with itself. */
  constructor(runner: StepRunner, options: BatchingOptions = {}) {
    const { maxSequences, prefixCache, kvLimit, chunk } = checked(batchingSchema, options, "engine");
    const { blocks, blockSize, dtype } = runner.memory;
    checkChunk(chunk, blockSize);
    this.config = runner.config;
    this.#runner = runner;
    this.#pool = new BlockPool(blocks);
    this.#scheduler = new Scheduler(this.#pool, { blockSize, chunk, maxSequences, prefixCache });
    const most = kvLimit === undefined ? blocks : kvBlocks(this.config, dtype, kvLimit, blockSize);
    this.#most = Math.max(most, blocks);
  }

  /** Compiles a model and allocates its memory. @throws InputError where the memory does not hold one block. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: Tensors,
    options: CoreOptions,
  ): Promise<EngineCore> {
    const { kvMemory, kvDtype: dtype, blockSize, weights: format, chunk } = checked(coreSchema, options, "engine");
    checkChunk(chunk, blockSize); // a mistake is told before anything is compiled
    checkMemory("kvMemory", kvMemory, device.freeBytes());
    const blocks = kvBlocks(config, dtype, kvMemory, blockSize);
    const memory = new PagedMemory(device, config, { blocks, blockSize, dtype });
    return new EngineCore(await Runner.create(device, config, weights, memory, format), options);
  }

  /** The most tokens of one sequence: what the context and the whole cache hold. */
  get longest(): number {
    return Math.min(this.config.context, this.#most * this.#runner.memory.blockSize);
  }

  /** Steps computed so far. */
  get steps(): number {
    return this.#log.steps;
  }

  /** Seconds spent in the compiled graph so far. */
  get graphSeconds(): number {
    return this.#runner.seconds;
  }

  /** Whether there is nothing to do. */
  get idle(): boolean {
    return this.#live.size === 0;
  }

  /**
   * Gives the cache another size, when the step that is under way has ended; what it holds is kept as far as it fits.
   * @throws InputError if no block would fit.
   */
  async resize(kvMemory: number): Promise<void> {
    const { memory } = this.#runner;
    const size = Math.min(this.#most, kvBlocks(this.config, memory.dtype, kvMemory, memory.blockSize));
    while (this.#stepping) await this.#step;
    if (size !== this.#pool.size) memory.resize(size, this.#scheduler.resize(size));
  }

  /** Queues a sequence and gives its number. @throws InputError, with the numbers, if it can never fit. */
  add({ prompt, maxTokens, stopTokens = [], constraint, promptLogprobs, ...rest }: CoreRequest): number {
    const { vocab } = this.config;
    const options = sampling(rest.sampling, vocab);
    const scored = promptLogprobs !== undefined;
    checkRequest(prompt, maxTokens, scored ? 0 : 1, {
      config: this.config,
      memory: this.#runner.memory,
      most: this.#most,
    });
    const id = this.#nextId++;
    const sequence = new Sequence(id, prompt, {
      maxTokens: maxTokens ?? this.longest - prompt.length,
      blockSize: this.#runner.memory.blockSize,
      readWhole: scored,
    });
    const sampler = new TokenSampler(options, { vocab, prompt: sequence.tokens() });
    const scores = scored ? { prompt: new PromptScores(sequence, promptLogprobs) } : {};
    this.#live.set(id, { sequence, sampler, stopTokens, constraint, ...scores });
    this.#scheduler.add(sequence);
    this.#latency.arrived(id);
    return id;
  }

  /** Ends a sequence. Its blocks are free at once, or when the step that is under way ends. */
  cancel(id: number): void {
    if (this.#stepping) {
      this.#dropped.push(id);
      return;
    }
    const live = this.#live.get(id);
    if (!live) return;
    this.#scheduler.remove(live.sequence);
    live.constraint?.[Symbol.dispose]();
    this.#live.delete(id);
    this.#latency.ended(id);
  }

  /** Computes one batch. Gives what it did, nothing if there was nothing to do, or no memory to do it in. */
  step(): Promise<Emission[]> {
    const step = this.#computeStep();
    this.#step = step.catch(() => {});
    return step;
  }

  async #computeStep(): Promise<Emission[]> {
    const start = performance.now();
    const before = this.#runner.seconds;
    const slices = this.#scheduler.plan();
    if (slices.length === 0) {
      if (![...this.#live.values()].some(({ held }) => held)) return [];
      await sleep(longestWaitMs); // there is nothing to do but to wait for what may come next
      return this.#drawHeld();
    }
    const counts = countTokens(slices);
    this.#stepping = true;
    for (const { sequence } of slices) this.#latency.runs(sequence.id);
    const scores = await stepScores(this.#runner, slices, ({ id }) => this.#live.get(id)?.prompt).finally(() => {
      this.#stepping = false;
    });
    for (const id of this.#dropped.splice(0)) this.cancel(id);
    for (const [i, slice] of slices.entries()) {
      const live = this.#live.get(slice.sequence.id);
      if (!live) continue; // cancelled while the step ran
      const { all, last } = scores[i] as StepScores;
      if (all && live.prompt?.wanting) live.prompt.take(all);
      this.#scheduler.computed(slice);
      if (last) live.held = last;
    }
    const emissions = this.#drawHeld();
    this.#log.add(counts, (performance.now() - start) / 1000, this.#runner.seconds - before);
    return emissions;
  }

  /** Draws a token for every sequence with scores for which it is known what may come next; the others go on later. */
  #drawHeld(): Emission[] {
    const until = performance.now() + longestWaitMs;
    const emissions: Emission[] = [];
    for (const live of this.#live.values()) {
      if (!live.held) continue;
      if (live.constraint && !live.constraint.ready(until)) {
        live.held = live.held.slice(); // the next step writes over it
        continue;
      }
      const row = live.held;
      live.held = undefined;
      emissions.push(this.#draw(live, row));
    }
    for (const { id, sampled, finish, error } of emissions) {
      if (sampled) this.#latency.wrote(id);
      if (finish || error) this.cancel(id);
    }
    return emissions;
  }

  /** How things stand. */
  stats(): EngineStats {
    const { size, used, cached, free, shared } = this.#pool;
    const { running, waiting, preemptions, prefix } = this.#scheduler;
    const { memory } = this.#runner;
    return {
      running: running.length,
      waiting: waiting.length,
      blocks: { total: size, used, cached, free, shared },
      wanted: {
        blocks: waiting.reduce((sum, { blocksNeeded }) => sum + blocksNeeded, 0),
        first: waiting[0]?.blocksNeeded ?? 0,
        next: waiting[0]?.id,
      },
      runningIds: running.map(({ id }) => id),
      blockSize: memory.blockSize,
      kvBytes: memory.bytes,
      kvBytesUsed: (memory.bytes / size) * used,
      tokens: running.reduce((sum, { computed }) => sum + computed, 0),
      prefixHitRate: prefix.asked === 0 ? 0 : prefix.found / prefix.asked,
      preemptions,
      latency: this.#latency.summary,
      ...this.#log.summary,
    };
  }

  /** Forgets what the prefix cache holds. */
  forgetPrefixes(): void {
    this.#pool.forget();
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#live.keys()]) this.cancel(id);
    this.#runner[Symbol.dispose]();
  }

  #draw({ sequence, sampler, stopTokens, constraint, prompt }: Live, scores: Float32Array): Emission {
    const { id, reused: known = 0, generated, maxTokens } = sequence;
    const told = { reused: known, ...(prompt && generated === 0 && { prompt: prompt.found }) };
    try {
      if (maxTokens === 0) return { id, ...told, finish: "length" };
      const sampled = sampler.next(scores, constraint?.allowed());
      constraint?.accept(sampled.token);
      if (stopTokens.includes(sampled.token)) {
        return { id, ...told, ...(prompt && { ending: sampled }), finish: "stop" };
      }
      sequence.push(sampled.token);
      return { id, ...told, sampled, ...(sequence.generated >= sequence.maxTokens && { finish: "length" }) };
    } catch (error) {
      return { id, reused: known, error: error as Error };
    }
  }
}

/** Prompt tokens of a step. @throws InputError if they are no whole blocks. */
function checkChunk(chunk: number, blockSize: number): void {
  if (chunk % blockSize === 0) return;
  throw new InputError(`chunk: must be a multiple of the block size ${blockSize}, found ${chunk}`);
}
