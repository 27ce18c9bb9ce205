// The engine as programs use it: text in, text out, many at once, in a process of its own so that the caller's event loop
// never waits for a model, and outlives it.

import type { EngineStats } from "../engine/stats.ts";
import { errorOf, InputError } from "../error.ts";
import { Child } from "./child.ts";
import { type EngineInfo, type EngineOptions, engineOptions } from "./engine-options.ts";
import { Inbox } from "./inbox.ts";
import type { EngineStart, FromProcess, ToProcess } from "./messages.ts";
import { type Chunk, type GenerateOptions, type Prompt, textCount } from "./request.ts";

/** The process that did the work ended before its time, as the message says. `restart()` begins anew. */
export class EngineCrash extends Error {
  override readonly name = "EngineCrash";
}

/** A model that generates text for many requests at once, in a process of its own. */
export class Engine implements AsyncDisposable {
  readonly #child: Child<ToProcess, FromProcess>;
  #start: EngineStart;
  readonly #inboxes = new Map<number, Inbox>(); // by request
  readonly #resizes = new Map<number, (error?: Error) => void>();
  #info!: EngineInfo;
  #stats!: EngineStats;
  #nextRequest = 0;
  #nextResize = 0;

  private constructor(start: EngineStart) {
    this.#start = start;
    this.#child = new Child({
      program: new URL("./engine-process.js", import.meta.url),
      longestTurn: engineOptions(start.options).stepTimeout,
      first: () => ({ type: "start", start: this.#start }),
      began: (answer) => this.#began(answer),
      receive: (message) => this.#receive(message),
      ended: (why) => this.#ended(why),
      crash: (problem, cause) => new EngineCrash(`engine: ${problem}`, cause && { cause }),
    });
  }

  /**
   * Loads a run, allocates its cache and is ready to generate.
   * @throws InputError if there is no such run, it has no weights, or an option is wrong.
   */
  static async load(run: string, options: EngineOptions = {}): Promise<Engine> {
    engineOptions(options); // a mistake is told before a process is started
    const engine = new Engine({ run, options });
    await engine.#child.start();
    return engine;
  }

  /** What it runs. */
  get info(): EngineInfo {
    return this.#info;
  }

  /** Why its process ended, if it did; `restart()` begins anew. */
  get failure(): Error | undefined {
    return this.#child.failure;
  }

  /** Whether its process gives no sign of life: it comes back, or is given up in a few seconds. */
  get silent(): boolean {
    return this.#child.silent;
  }

  /** The process that does the work, for those who watch processes. */
  get processId(): number | undefined {
    return this.#child.processId;
  }

  /** How it stood after its last step, or a tenth of a second before; the last that was heard, if it ended. */
  stats(): EngineStats {
    return this.#stats;
  }

  /**
   * Goes on from a prompt, yielding what is new since the last chunk was taken; with `n`, the texts' chunks in turns. A
   * text's last chunk has its `finishReason`. Leaving the loop, by `break` or an error, ends the request and frees its
   * memory; so does `signal`, with the reason "abort".
   * @throws InputError if an option is wrong or the request can never fit; EngineCrash if the engine's process ended.
   */
  async *generate(
    prompt: Prompt,
    { signal, ...options }: GenerateOptions & { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Chunk, void> {
    if (this.failure) throw this.failure;
    const request = this.#nextRequest++;
    const inbox = new Inbox(textCount(options.n));
    this.#inboxes.set(request, inbox);
    using _hold = this.#child.hold();
    try {
      if (!signal?.aborted) this.#child.send({ type: "open", request, prompt, ...plainOptions(options) });
      yield* inbox.take(signal);
    } finally {
      this.#inboxes.delete(request);
      if (inbox.unfinished) this.#child.send({ type: "close", request });
    }
  }

  /**
   * Gives the cache another size in bytes, of which whole blocks count, at most `kvLimit`. What it holds is kept as far as
   * it fits; sequences that do not fit any more are computed again when they do.
   * @throws InputError if no block would fit; EngineCrash if the engine's process ended.
   */
  async resize(kvMemory: number): Promise<void> {
    const { options } = this.#start;
    this.#start = { ...this.#start, options: { ...options, kvMemory } }; // a new process begins with it
    if (this.failure) throw this.failure;
    const resize = this.#nextResize++;
    const done = new Promise<void>((resolve, reject) => {
      this.#resizes.set(resize, (error) => (error ? reject(error) : resolve()));
    });
    using _hold = this.#child.hold();
    this.#child.send({ type: "resize", resize, kvMemory });
    try {
      await done;
    } catch (error) {
      if (error instanceof InputError) this.#start = { ...this.#start, options }; // no process could begin with it
      throw error;
    }
  }

  /** Starts the process anew, after a crash or not; what is open fails. Calls while it starts wait for the same one. */
  restart(): Promise<void> {
    return this.#child.restart();
  }

  /** Ends the process for good; open requests fail. */
  close(): Promise<void> {
    return this.#child.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #began(answer: FromProcess): void {
    if (answer.type === "broken") throw errorOf(answer.error);
    if (answer.type !== "ready") throw new Error(`engine: its process began with "${answer.type}"`);
    this.#info = answer.info;
    this.#stats = answer.stats;
  }

  #receive(message: FromProcess): void {
    if (message.type === "stats") this.#stats = message.stats;
    if (message.type === "failed") this.#inboxes.get(message.request)?.fail(errorOf(message.error));
    if (message.type === "chunks") {
      for (const { request, chunk } of message.chunks) this.#inboxes.get(request)?.put(chunk);
    }
    if (message.type === "resized") {
      if (message.stats) this.#stats = message.stats;
      this.#resizes.get(message.resize)?.(message.error && errorOf(message.error));
      this.#resizes.delete(message.resize);
    }
  }

  #ended(why: Error): void {
    for (const inbox of this.#inboxes.values()) inbox.fail(why);
    for (const settle of this.#resizes.values()) settle(why);
    this.#resizes.clear();
  }
}

/** Options with a format as text: processes cannot hand each other what is nested deeply, as schemas may be. */
function plainOptions(options: GenerateOptions): { options: GenerateOptions; format?: string } {
  const { format, ...rest } = options;
  if (typeof format !== "object" || format === null) return { options };
  try {
    return { options: rest, format: JSON.stringify(format) };
  } catch (error) {
    throw InputError.at("format", `cannot be written as JSON: ${(error as Error).message}`);
  }
}
