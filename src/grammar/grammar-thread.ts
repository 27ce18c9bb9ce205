// The thread that makes and compiles grammars and follows texts with them, for grammar-follower.ts: one can take forever to
// make or to compile, and another to follow. It says when it began what it does, so that it can be ended.

import { parentPort, workerData } from "node:worker_threads";
import { type ErrorData, errorData, InputError } from "../error.ts";
import { ebnfOf, type GrammarSource, nameOf } from "./grammar-source.ts";
import { limitMemory } from "./wasm-memory.ts";
import { type Compiled, GrammarError, type Matcher, type Vocabulary, XGrammar } from "./xgrammar.ts";

/** What the thread is started with. */
export interface ThreadStart {
  readonly vocabulary: Vocabulary;
  /** Tasks begun and ended, two int32; then when the last one began, a float64 of `Date.now()`. */
  readonly turns: SharedArrayBuffer;
}

/** What it is told: tasks, done in order. */
export type ThreadTask =
  /** Begins a text of a `GrammarSource`, as JSON, and goes on by `tokens`; `place` has the state, then the next mask. */
  | {
      readonly id: number;
      readonly source: string;
      readonly tokens: readonly number[];
      readonly place: SharedArrayBuffer;
    }
  | { readonly id: number; readonly token: number }
  | { readonly id: number; readonly end: true };

/** What it says of a text that begins. */
export interface ThreadAnswer {
  readonly id: number;
  readonly error?: ErrorData;
}

/** A text's state where its matcher failed; else how many tokens the mask comes after, and one more. */
export const failedState = -1;

/** The most memory of all that it compiles and follows, bytes. */
const mostBytes = 1 << 30;

/** The most compiled grammars that are kept. */
const cachedGrammars = 32;

interface Text {
  readonly matcher: Matcher;
  readonly state: Int32Array;
  readonly mask: Int32Array;
}

if (parentPort && (workerData as ThreadStart | undefined)?.turns) {
  const port = parentPort;
  const { vocabulary, turns } = workerData as ThreadStart;
  const [counts, beganAt] = [new Int32Array(turns, 0, 2), new Float64Array(turns, 8, 1)];
  const compiled = new Map<string, Compiled>(); // by grammar, the latest last
  const texts = new Map<number, Text>();
  let library: XGrammar | undefined;
  limitMemory(mostBytes);

  const compile = async (ebnf: string): Promise<Compiled> => {
    const hasMore = compiled.size > 0;
    try {
      library ??= await XGrammar.open(vocabulary);
      return await library.compile(ebnf);
    } catch (error) {
      // The instance may have aborted: the next grammar gets another. Texts that it follows are no worse off.
      library = undefined;
      compiled.clear();
      if (hasMore && !(error instanceof GrammarError)) return compile(ebnf); // the others may have left it no room
      throw error;
    }
  };

  const begin = async (source: GrammarSource): Promise<Matcher> => {
    const ebnf = ebnfOf(source);
    const found = compiled.get(ebnf) ?? (await compile(ebnf));
    compiled.delete(ebnf);
    compiled.set(ebnf, found);
    for (const [oldest, other] of compiled) {
      if (compiled.size <= cachedGrammars) break;
      compiled.delete(oldest);
      other[Symbol.dispose]();
    }
    return found.begin();
  };

  const tell = ({ matcher, state, mask }: Text, after: number): void => {
    mask.set(matcher.mask());
    Atomics.store(state, 0, after + 1);
    Atomics.notify(state, 0);
  };

  const go = async (task: ThreadTask): Promise<void> => {
    if ("source" in task) {
      const { id, tokens, place } = task;
      const source: GrammarSource = JSON.parse(task.source);
      try {
        const matcher = await begin(source);
        const text = { matcher, state: new Int32Array(place, 0, 1), mask: new Int32Array(place, 4) };
        texts.set(id, text);
        for (const token of tokens) matcher.accept(token);
        tell(text, tokens.length);
        port.postMessage({ id } satisfies ThreadAnswer);
      } catch (error) {
        const isGrammars = error instanceof GrammarError;
        const told = isGrammars ? InputError.at("format", error.message, { shown: nameOf(source) }) : error;
        port.postMessage({ id, error: errorData(told) } satisfies ThreadAnswer);
      }
      return;
    }
    const text = texts.get(task.id);
    if (!text) return;
    if ("end" in task) {
      texts.delete(task.id);
      text.matcher[Symbol.dispose]();
      return;
    }
    try {
      if (!text.matcher.accept(task.token)) throw new Error(`token ${task.token} is not accepted`);
      tell(text, Atomics.load(text.state, 0));
    } catch {
      Atomics.store(text.state, 0, failedState);
      Atomics.notify(text.state, 0);
    }
  };

  let last: Promise<void> = Promise.resolve();
  port.on("message", (task: ThreadTask) => {
    last = last.then(async () => {
      library ??= await XGrammar.open(vocabulary); // takes its time whatever is asked: not counted
      beganAt[0] = Date.now();
      Atomics.add(counts, 0, 1);
      await go(task);
      Atomics.add(counts, 1, 1);
    });
  });
}
