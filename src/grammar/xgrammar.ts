// The library xgrammar, compiled to WebAssembly: the one file that knows it. Grammars go in, masks of tokens come out.
//
// The package cannot be imported in Node: version 0.1.27 is a script (UMD) that calls itself a module. Its text is run
// as a function instead, which also gives it a console of its own: it tells what is wrong with a grammar only there.
// Its parser ends with `abort()`, which leaves less of the stack each time: an instance that has aborted should compile
// nothing more. What it compiled goes on working.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { compileFunction } from "node:vm";
import type { CompiledGrammar, GrammarCompiler, TokenizerInfo } from "@mlc-ai/web-xgrammar";

type Library = typeof import("@mlc-ai/web-xgrammar");

/** A C++ object. */
interface Handle {
  delete(): void;
  isDeleted(): boolean;
}
interface MatcherHandle extends Handle {
  AcceptToken(token: number, verbose: boolean): boolean;
  GetNextTokenBitmask(vocab: number): Handle;
}
type View = (vector: Handle) => Int32Array;

/** The library does not take a grammar; the message says why. */
export class GrammarError extends Error {
  override readonly name = "GrammarError";
}

/** Tokens for the library. */
export interface Vocabulary {
  /** Spellings in the byte-level alphabet; those of tokens that no text may have are empty. */
  readonly spellings: string[];
  /** The number of tokens in a mask, if more than spellings. */
  readonly size: number;
  /** The tokens that end a text. */
  readonly ends: Iterable<number>;
}

/** An instance of the library, with a vocabulary. */
export class XGrammar implements Disposable {
  readonly #library: Library;
  readonly #view: View;
  readonly #log: string[];
  readonly #info: TokenizerInfo;
  readonly #compiler: GrammarCompiler;
  readonly #vocab: number;

  private constructor({ library, view, log }: Loaded, info: TokenizerInfo, compiler: GrammarCompiler, vocab: number) {
    this.#library = library;
    this.#view = view;
    this.#log = log;
    this.#info = info;
    this.#compiler = compiler;
    this.#vocab = vocab;
  }

  static async open({ spellings, size, ends }: Vocabulary): Promise<XGrammar> {
    const loaded = await load();
    const { TokenizerInfo, GrammarCompiler } = loaded.library;
    const info = await TokenizerInfo.createTokenizerInfo(spellings, "byte_level", false, size, [...ends]);
    const compiler = await GrammarCompiler.createGrammarCompiler(info, false);
    return new XGrammar(loaded, info, compiler, size);
  }

  /**
   * Compiles a grammar in xgrammar's EBNF, whose first rule is `root`.
   * @throws GrammarError with the library's reason; also where it warns that it does not do all that was asked. Whatever
   * else it ends with (its stack is small) comes as it is.
   */
  async compile(ebnf: string): Promise<Compiled> {
    this.#log.length = 0;
    try {
      const grammar = await this.#library.Grammar.fromEBNF(ebnf);
      const compiled = await this.#compiler.compileGrammar(grammar);
      grammar.dispose();
      if (this.#log.length === 0) return new Compiled(this.#library, this.#view, this.#vocab, compiled);
      compiled.dispose();
    } catch (error) {
      if (this.#log.length === 0) throw error;
    }
    throw new GrammarError((this.#log[0] as string).replace(/^\[\w+\] \S+:\d+: /, ""));
  }

  [Symbol.dispose](): void {
    this.#compiler.dispose();
    this.#info.dispose();
  }
}

/** A grammar, compiled for a vocabulary. */
export class Compiled implements Disposable {
  readonly #library: Library;
  readonly #view: View;
  readonly #vocab: number;
  readonly #grammar: CompiledGrammar;

  constructor(library: Library, view: View, vocab: number, grammar: CompiledGrammar) {
    this.#library = library;
    this.#view = view;
    this.#vocab = vocab;
    this.#grammar = grammar;
  }

  /** Begins a text. It goes on when this, or the instance, is disposed of. */
  async begin(): Promise<Matcher> {
    const matcher = await this.#library.GrammarMatcher.createGrammarMatcher(this.#grammar);
    return new Matcher((matcher as unknown as { handle: MatcherHandle }).handle, this.#view, this.#vocab);
  }

  [Symbol.dispose](): void {
    this.#grammar.dispose();
  }
}

/** A place in a grammar. */
export class Matcher implements Disposable {
  readonly #handle: MatcherHandle;
  readonly #view: View;
  readonly #vocab: number;

  constructor(handle: MatcherHandle, view: View, vocab: number) {
    this.#handle = handle;
    this.#view = view;
    this.#vocab = vocab;
  }

  /** Goes on by a token; false, and stays, where it does not fit. */
  accept(token: number): boolean {
    return this.#handle.AcceptToken(token, false);
  }

  /** A bit for each token, 32 a word; those past the last token have no meaning. */
  mask(): Int32Array {
    // What the library's getNextTokenBitmask does, less its promise.
    const vector = this.#handle.GetNextTokenBitmask(this.#vocab);
    const mask = this.#view(vector).slice();
    vector.delete();
    return mask;
  }

  [Symbol.dispose](): void {
    if (!this.#handle.isDeleted()) this.#handle.delete();
  }
}

interface Loaded {
  readonly library: Library;
  readonly view: View;
  readonly log: string[];
}

const seam = "let binding = null;";

/** A new instance. It is told of no process and no network, so it touches neither. */
async function load(): Promise<Loaded> {
  const file = createRequire(import.meta.url).resolve("@mlc-ai/web-xgrammar");
  const text = await readFile(file, "utf8");
  if (!text.includes(seam)) throw new Error(`@mlc-ai/web-xgrammar: not version 0.1.27: no ${seam} in ${file}`);
  const opened = text.replace(seam, `${seam} exports.view = (vector) => binding.vecIntToView(vector);`);
  const exports = {} as Library & { view: View };
  const log: string[] = [];
  const tell = (...words: unknown[]) => void log.push(words.join(" "));
  const names = ["exports", "module", "document", "process", "console"];
  const script = { tagName: "SCRIPT", src: pathToFileURL(file).href };
  compileFunction(opened, names, { filename: file })(exports, { exports }, { currentScript: script }, undefined, {
    log: tell,
    warn: tell,
    error: tell,
  });
  return { library: exports, view: exports.view, log };
}
