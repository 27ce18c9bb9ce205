// Follows grammars on a thread of their own (grammar-thread.ts), so that a slow grammar makes nobody else wait. If one takes
// too long, its text ends with an error and the thread is ended; the other texts go on with a new thread.

import { Worker } from "node:worker_threads";
import { errorOf, InputError } from "../error.ts";
import { type GrammarSource, nameOf } from "./grammar-source.ts";
import { failedState, type ThreadAnswer, type ThreadStart, type ThreadTask } from "./grammar-thread.ts";
import type { Vocabulary } from "./xgrammar.ts";

/** The longest that a grammar may take to compile, or to follow a text by a token. */
const longestTaskMs = 3000;

/** The longest that following a text may take in all, beside its tokens' share. */
const longestTextMs = 10_000;
const longestTokenMs = 50;

/** The most that the thread's JavaScript may hold, MB; what it compiles is bounded by itself. */
const mostHeapMb = 512;

/** How often the thread is looked after while it has something to do. */
const watchEveryMs = 100;

interface Thread {
  readonly worker: Worker;
  readonly counts: Int32Array;
  readonly beganAt: Float64Array;
  /** Whose the tasks are that have not ended, in order; `ended` are gone from it. */
  readonly tasks: FollowedText[];
  ended: number;
}

/** Follows texts of many grammars. */
export class GrammarFollower implements Disposable {
  readonly #vocabulary: Vocabulary;
  readonly #texts = new Map<number, FollowedText>();
  #thread: Thread | undefined;
  #watch: NodeJS.Timeout | undefined;
  #nextId = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** Begins a text of a form. @throws InputError for one that no grammar can follow. */
  async begin(source: GrammarSource): Promise<FollowedText> {
    const id = this.#nextId++;
    const asked = { id, source: textOf(source), what: nameOf(source), words: Math.ceil(this.#vocabulary.size / 32) };
    const text = new FollowedText(asked, (text, task) => (task ? this.#post(text, task) : this.#look()));
    this.#texts.set(id, text);
    try {
      await text.begin();
    } catch (error) {
      this.#texts.delete(id);
      throw error;
    }
    return text;
  }

  /** Ends the thread; texts that are not done begin another. */
  [Symbol.dispose](): void {
    this.#end();
    if (this.#texts.size > 0) this.#again();
  }

  #post(text: FollowedText, task: ThreadTask): void {
    if ("end" in task) this.#texts.delete(text.id);
    if ("end" in task && !this.#thread) return;
    this.#thread ??= this.#start();
    this.#thread.tasks.push(text);
    this.#thread.worker.ref();
    this.#thread.worker.postMessage(task);
    this.#watch ??= setInterval(() => this.#look(), watchEveryMs).unref();
  }

  #start(): Thread {
    const turns = new SharedArrayBuffer(16);
    const start: ThreadStart = { vocabulary: this.#vocabulary, turns };
    const worker = new Worker(new URL("./grammar-thread.js", import.meta.url), {
      workerData: start,
      resourceLimits: { maxOldGenerationSizeMb: mostHeapMb },
    });
    worker.on("message", ({ id, error }: ThreadAnswer) => this.#texts.get(id)?.began(error));
    worker.on("error", (error) => {
      if (this.#thread?.worker !== worker) return;
      const [culprit] = this.#thread.tasks; // whatever it was, this one brought it about: too deep, too large
      this.#giveUp(culprit, `cannot be followed: ${error.message}`);
    });
    const [counts, beganAt] = [new Int32Array(turns, 0, 2), new Float64Array(turns, 8, 1)];
    return { worker, counts, beganAt, tasks: [], ended: 0 };
  }

  /** Takes note of the tasks that have ended, and ends the thread where one takes too long. */
  #look(): void {
    const thread = this.#thread;
    if (!thread) return;
    const [began, ended] = [Atomics.load(thread.counts, 0), Atomics.load(thread.counts, 1)];
    thread.tasks.splice(0, ended - thread.ended);
    thread.ended = ended;
    if (thread.tasks.length === 0) {
      thread.worker.unref();
      clearInterval(this.#watch);
      this.#watch = undefined;
    } else if (began > ended) {
      const [text] = thread.tasks as [FollowedText];
      const beganAt = thread.beganAt[0] as number;
      if (Date.now() - beganAt > longestTaskMs)
        this.#giveUp(text, `takes more than ${longestTaskMs / 1000} s for a step`);
      else if (text.took(beganAt)) this.#giveUp(text, "takes too long to follow");
    }
  }

  #giveUp(culprit: FollowedText | undefined, problem: string): void {
    this.#end();
    if (culprit) this.#texts.delete(culprit.id);
    culprit?.fail(
      InputError.at("format", `the ${culprit.what} ${problem}; ask for something simpler`, {
        shown: "response format",
      }),
    );
    this.#again();
  }

  #again(): void {
    for (const text of this.#texts.values()) text.restart();
  }

  #end(): void {
    void this.#thread?.worker.terminate();
    this.#thread = undefined;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}

interface TextOptions {
  readonly id: number;
  /** As JSON. */
  readonly source: string;
  /** What errors call it. */
  readonly what: string;
  /** Of a mask. */
  readonly words: number;
}

/** A text that a thread follows. */
export class FollowedText implements Disposable {
  readonly id: number;
  readonly what: string;
  readonly #source: string;
  readonly #words: number;
  readonly #tell: (text: FollowedText, task?: ThreadTask) => void;
  readonly #tokens: number[] = [];
  #place: SharedArrayBuffer;
  #state: Int32Array;
  #failure: Error | undefined;
  #ended = false;
  #tookMs = 0; // as far as the thread was seen at it
  #seenAt = 0;
  #begun: { resolve(): void; reject(error: Error): void } | undefined;

  /** `tell` posts a task of the text, or looks after the thread. */
  constructor({ id, source, what, words }: TextOptions, tell: (text: FollowedText, task?: ThreadTask) => void) {
    this.id = id;
    this.what = what;
    this.#source = source;
    this.#words = words;
    this.#tell = tell;
    this.#place = new SharedArrayBuffer(4 + 4 * words);
    this.#state = new Int32Array(this.#place, 0, 1);
  }

  /** Resolves when the grammar is compiled and the first mask is there. */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#begun = { resolve, reject };
      this.restart();
    });
  }

  /** Begins anew on a thread that knows nothing of it. */
  restart(): void {
    this.#place = new SharedArrayBuffer(4 + 4 * this.#words);
    this.#state = new Int32Array(this.#place, 0, 1);
    this.#tell(this, { id: this.id, source: this.#source, tokens: [...this.#tokens], place: this.#place });
  }

  /** Notes what the thread says of its beginning. */
  began(error: ThreadAnswer["error"]): void {
    if (!error) this.#begun?.resolve();
    else if (error.name === "InputError") this.fail(errorOf(error));
    else {
      const reason = `the ${this.what} cannot be compiled: ${error.message}`;
      this.fail(InputError.at("format", reason, { shown: "response format" }));
    }
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#begun?.reject(error);
  }

  /** Notes that the thread is at a task of it, begun at `beganAt`; whether that and all before it is too much. */
  took(beganAt: number): boolean {
    const now = Date.now();
    this.#tookMs += now - Math.max(beganAt, this.#seenAt);
    this.#seenAt = now;
    return this.#tookMs > longestTextMs + longestTokenMs * this.#tokens.length;
  }

  /** Whether the next mask is there, or never will be; waits until `until` (of `performance.now()`). */
  ready(until = 0): boolean {
    for (;;) {
      const state = Atomics.load(this.#state, 0);
      if (this.#failure || state === failedState || state > this.#tokens.length) return true;
      const left = until - performance.now();
      if (!(left > 0)) return false;
      Atomics.wait(this.#state, 0, state, Math.min(left, watchEveryMs));
      this.#tell(this);
    }
  }

  /** Goes on by a token that the mask allows. */
  accept(token: number): void {
    this.#tokens.push(token);
    this.#tell(this, { id: this.id, token });
  }

  /** A bit for each token, 32 a word; those past the last token have no meaning. Waits for it. @throws why there is none. */
  mask(): Int32Array {
    this.ready(Number.POSITIVE_INFINITY);
    if (this.#failure) throw this.#failure;
    if (Atomics.load(this.#state, 0) === failedState) throw new Error("xgrammar does not accept what its mask allows");
    return new Int32Array(this.#place, 4).slice();
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell(this, { id: this.id, end: true });
  }
}

/** A form as JSON: threads cannot hand each other what is nested deeply. */
function textOf(source: GrammarSource): string {
  try {
    return JSON.stringify(source);
  } catch (error) {
    throw InputError.at("format", `cannot be written as JSON: ${(error as Error).message}`, { shown: nameOf(source) });
  }
}
