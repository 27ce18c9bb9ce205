// The engine as programs use it: text in, text out, many at once, in a process of its own so that the caller's event loop
// never waits for a model, and outlives it.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { EngineStats } from "../engine/stats.ts";
import { InputError } from "../error.ts";
import { type EngineInfo, type EngineOptions, engineOptions } from "./engine-options.ts";
import { type EngineStart, errorOf, type FromProcess, type ToProcess } from "./messages.ts";
import { type Chunk, type GenerateOptions, type Prompt, textCount } from "./request.ts";

/** The process that did the work ended before its time, as the message says. `restart()` begins anew. */
export class EngineCrash extends Error {
  override readonly name = "EngineCrash";
}

/** What a request has been sent and nobody has taken yet: a chunk of each text at most, however slow the taker is. */
interface Inbox {
  readonly chunks: Chunk[];
  /** Texts that have not ended. */
  readonly open: Set<number>;
  error?: Error;
  wake: () => void;
}

/** A model that generates text for many requests at once, in a process of its own. */
export class Engine implements AsyncDisposable {
  #start: EngineStart;
  readonly #inboxes = new Map<number, Inbox>();
  readonly #resizes = new Map<number, (error?: Error) => void>();
  #child!: ChildProcess;
  #info!: EngineInfo;
  #stats!: EngineStats;
  #failure: Error | undefined;
  #restarting: Promise<void> | undefined;
  #changing = 0; // starts and ends of the process that are awaited
  #closed = false;
  #nextRequest = 0;
  #nextResize = 0;

  private constructor(start: EngineStart) {
    this.#start = start;
  }

  /**
   * Loads a run, allocates its cache and is ready to generate.
   * @throws InputError if there is no such run, it has no weights, or an option is wrong.
   */
  static async load(run: string, options: EngineOptions = {}): Promise<Engine> {
    engineOptions(options); // a mistake is told before a process is started
    const engine = new Engine({ run, options });
    await engine.#launch();
    return engine;
  }

  /** What it runs. */
  get info(): EngineInfo {
    return this.#info;
  }

  /** Why its process ended, if it did; `restart()` begins anew. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The process that does the work, for those who watch processes. */
  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** How it stood after its last step, or a tenth of a second before; the last that was heard, if it ended. */
  stats(): EngineStats {
    return this.#stats;
  }

  /**
   * Goes on from a prompt, yielding what is new since the last chunk was taken; with `n`, the texts' chunks in turns. A
   * text's last chunk has its `finishReason`. Leaving the loop, by `break` or an error, ends the request and frees its memory; so does `signal`,
   * with the reason "abort".
   * @throws InputError if an option is wrong or the request can never fit; EngineCrash if the engine's process ended.
   */
  async *generate(
    prompt: Prompt,
    { signal, ...options }: GenerateOptions & { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Chunk, void> {
    if (this.#failure) throw this.#failure;
    const request = this.#nextRequest++;
    const inbox: Inbox = { chunks: [], open: new Set(Array(textCount(options.n)).keys()), wake: () => {} };
    const abort = () => inbox.wake();
    signal?.addEventListener("abort", abort);
    this.#inboxes.set(request, inbox);
    this.#hold();
    try {
      if (!signal?.aborted) this.#post({ type: "open", request, prompt, ...plainOptions(options) });
      while (inbox.open.size > 0 || inbox.chunks.length > 0) {
        if (signal?.aborted && inbox.open.size > 0) {
          const [open, taken] = [[...inbox.open], inbox.chunks.splice(0)];
          yield* taken;
          for (const index of open) yield { index, text: "", tokens: [], finishReason: "abort" };
          return;
        }
        const chunk = inbox.chunks.shift();
        if (!chunk) {
          if (inbox.error) throw inbox.error;
          await new Promise<void>((resolve) => {
            inbox.wake = resolve;
          });
          continue;
        }
        yield chunk;
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#inboxes.delete(request);
      this.#hold();
      if (inbox.open.size > 0 && !inbox.error) this.#post({ type: "close", request });
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
    if (this.#failure) throw this.#failure;
    const resize = this.#nextResize++;
    const done = new Promise<void>((resolve, reject) => {
      this.#resizes.set(resize, (error) => (error ? reject(error) : resolve()));
    });
    this.#hold();
    this.#post({ type: "resize", resize, kvMemory });
    try {
      await done;
    } catch (error) {
      if (error instanceof InputError) this.#start = { ...this.#start, options }; // no process could begin with it
      throw error;
    } finally {
      this.#hold();
    }
  }

  /** Starts the process anew, after a crash or not; what is open fails. Calls while it starts wait for the same one. */
  restart(): Promise<void> {
    this.#restarting ??= this.#renew().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** Ends the process for good; open requests fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end(new EngineCrash("engine: it was closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #renew(): Promise<void> {
    await this.#end(new EngineCrash("engine: it was restarted"));
    await this.#launch();
  }

  async #launch(): Promise<void> {
    if (this.#closed) throw new EngineCrash("engine: it was closed");
    const child = fork(new URL("./engine-process.js", import.meta.url), {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#child = child;
    this.#failure = undefined;
    child.on("error", (cause) =>
      this.#fail(child, new EngineCrash(`engine: its process failed: ${cause.message}`, { cause })),
    );
    child.on("exit", (code, signal) => {
      const how = signal === null ? `with status ${code}` : `by ${signal}`;
      this.#fail(child, new EngineCrash(`engine: its process ended ${how}`));
    });
    const ready = new Promise<void>((resolve, reject) => {
      for (const end of ["exit", "error"]) child.once(end, () => reject(this.#failure));
      child.on("message", (message: FromProcess) => {
        if (message.type === "ready") resolve();
        if (message.type === "broken") reject(errorOf(message.error));
        this.#receive(message);
      });
    });
    this.#changing++;
    this.#post({ type: "start", start: this.#start });
    try {
      await ready;
    } catch (error) {
      await this.#end(error as Error);
      throw error;
    } finally {
      this.#changing--;
      this.#hold();
    }
  }

  /** Makes the caller's program wait for the process while something is awaited of it: an idle engine keeps none alive. */
  #hold(): void {
    const { channel } = this.#child;
    if (this.#inboxes.size + this.#resizes.size + this.#changing > 0) {
      this.#child.ref();
      channel?.ref();
    } else {
      this.#child.unref();
      channel?.unref();
    }
  }

  #receive(message: FromProcess): void {
    if (message.type === "ready") this.#info = message.info;
    if (message.type === "ready" || message.type === "stats") this.#stats = message.stats;
    if (message.type === "resized") {
      if (message.stats) this.#stats = message.stats;
      this.#resizes.get(message.resize)?.(message.error && errorOf(message.error));
      this.#resizes.delete(message.resize);
    }
    if (message.type === "failed") this.#failRequest(message.request, errorOf(message.error));
    if (message.type !== "chunks") return;
    for (const { request, chunk } of message.chunks) {
      const inbox = this.#inboxes.get(request);
      if (!inbox) continue;
      put(inbox.chunks, chunk);
      if (chunk.finishReason) inbox.open.delete(chunk.index);
      inbox.wake();
    }
  }

  #failRequest(request: number, error: Error): void {
    const inbox = this.#inboxes.get(request);
    if (!inbox) return;
    inbox.error = error;
    inbox.wake();
  }

  #fail(child: ChildProcess, error: Error): void {
    if (child !== this.#child || this.#failure) return;
    this.#failure = error;
    for (const request of this.#inboxes.keys()) this.#failRequest(request, error);
    for (const settle of this.#resizes.values()) settle(error);
    this.#resizes.clear();
  }

  #post(message: ToProcess): void {
    if (this.#failure || !this.#child.connected) return;
    this.#child.send(message);
  }

  async #end(error: Error): Promise<void> {
    const child = this.#child;
    this.#fail(child, error);
    if (child.exitCode !== null || child.signalCode !== null) return;
    this.#changing++;
    this.#hold();
    const ended = once(child, "exit");
    child.kill("SIGKILL"); // it has nothing to save
    await ended;
    this.#changing--;
  }
}

/** Options with a JSON schema as text: processes cannot hand each other what is nested deeply. */
function plainOptions(options: GenerateOptions): { options: GenerateOptions; jsonSchema?: string } {
  const { format, ...rest } = options;
  if (typeof format !== "object" || format === null || !("jsonSchema" in format)) return { options };
  try {
    return { options: rest, jsonSchema: JSON.stringify(format.jsonSchema) ?? "null" };
  } catch (error) {
    throw InputError.at("format", `jsonSchema cannot be written as JSON: ${(error as Error).message}`);
  }
}

/** Adds a chunk to those that wait, as a part of the one of the same text if there is one. */
function put(waiting: Chunk[], chunk: Chunk): void {
  const place = waiting.findIndex(({ index }) => index === chunk.index);
  const before = waiting[place];
  if (!before) {
    waiting.push(chunk);
    return;
  }
  const logprobs = [...(before.logprobs ?? []), ...(chunk.logprobs ?? [])];
  waiting[place] = {
    ...chunk,
    text: before.text + chunk.text,
    tokens: [...before.tokens, ...chunk.tokens],
    ...(logprobs.length > 0 && { logprobs }),
  };
}
