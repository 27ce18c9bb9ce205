// What a text may go on with, token by token: JSON of a schema, a regular expression, a grammar. Built once for a
// tokenizer; grammars are matched by xgrammar (grammar/xgrammar.ts), which is loaded when the first one is compiled.

import { InputError } from "../error.ts";
import { spell } from "../text/byte-alphabet.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { choice, quoted } from "./characters.ts";
import { schemaGrammar } from "./json-schema.ts";
import { patternGrammar } from "./pattern.ts";
import { type ToolCalls, toolCallsGrammar } from "./tool-calls.ts";
import { Utf8Masks } from "./utf8-masks.ts";
import type { Compiled, Matcher, XGrammar } from "./xgrammar.ts";

/** Follows one text. */
export interface Constraint extends Disposable {
  /** The tokens that may come next, the caller's own: a bit for each token, 32 a word, the lowest first. */
  allowed(): Int32Array;
  /** Goes on by a token. False, and nothing changes, for one that is not allowed. */
  accept(token: number): boolean;
  /** Whether a token that ends texts was accepted; nothing else is allowed from then on. */
  readonly done: boolean;
}

/** What a tokenizer's tokens are. */
export type TokenBytes = Pick<Tokenizer, "vocab" | "ends" | "special" | "bytesOf">;

/** The most compiled grammars that are kept. */
const cachedGrammars = 32;

/** The longest grammar, in UTF-16 units. */
const longestGrammar = 1 << 18;

/** Compiles what texts may be. What was asked for lately is not compiled again. */
export class GrammarCompiler implements Disposable {
  readonly #tokenizer: TokenBytes;
  readonly #size: number;
  readonly #masks: Utf8Masks;
  readonly #compiled = new Map<string, Compiled>(); // by grammar, the latest last
  #library: XGrammar | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(tokenizer: TokenBytes, size: number) {
    this.#tokenizer = tokenizer;
    this.#size = size;
    this.#masks = new Utf8Masks(tokenizer, size);
  }

  /**
   * Prepares for a tokenizer. Texts have no special tokens but those that end them.
   * @param options.vocab the number of tokens that a model scores, if more than the tokenizer has.
   */
  static async create(
    tokenizer: TokenBytes,
    { vocab = tokenizer.vocab }: { vocab?: number } = {},
  ): Promise<GrammarCompiler> {
    if (!(Number.isInteger(vocab) && vocab >= tokenizer.vocab)) {
      throw new InputError(`vocab: must be at least the tokenizer's ${tokenizer.vocab} tokens, found ${vocab}`);
    }
    return new GrammarCompiler(tokenizer, vocab);
  }

  /** Any JSON value. For any object, give `jsonSchema` the type. */
  json(): Promise<Constraint> {
    return this.#constraint(schemaGrammar(true), "JSON");
  }

  /**
   * JSON that a schema (2020-12) allows; grammar/json-schema.ts says in what it is narrower than the schema.
   * @throws InputError for what is no schema or has a demand that is not supported, naming the place.
   */
  async jsonSchema(schema: object): Promise<Constraint> {
    // What has none, as another word than "json" has not.
    if (schema === undefined) throw InputError.at("format", 'must be "json" or {jsonSchema}');
    return this.#constraint(schemaGrammar(schema), "JSON schema");
  }

  /** Text that a regular expression matches from end to end. @throws InputError for one that is not supported. */
  async regex(pattern: string): Promise<Constraint> {
    const refusal = (problem: string) => InputError.at("format", problem, { shown: "regex" });
    return this.#constraint(`root ::= ${patternGrammar(pattern, "plain", refusal)}`, "regex");
  }

  /** Text that calls tools. @throws InputError naming the tool whose schema is wrong or not supported. */
  async toolCalls(calls: ToolCalls): Promise<Constraint> {
    return this.#constraint(toolCallsGrammar(calls), "tools");
  }

  /** One of these texts. */
  async choices(texts: readonly string[]): Promise<Constraint> {
    return this.#constraint(`root ::= ${choice(texts.map(quoted))}`, "choices");
  }

  /**
   * Text of a grammar in xgrammar's EBNF, whose first rule is `root`. It is trusted: a small grammar can take forever.
   * @throws InputError with xgrammar's reason.
   */
  async grammar(ebnf: string): Promise<Constraint> {
    return this.#constraint(ebnf, "grammar");
  }

  /** Constraints go on without it. */
  [Symbol.dispose](): void {
    for (const compiled of this.#compiled.values()) compiled[Symbol.dispose]();
    this.#compiled.clear();
    this.#library?.[Symbol.dispose]();
    this.#library = undefined;
  }

  /** One after the other, as the library compiles. */
  async #constraint(ebnf: string, what: string): Promise<Constraint> {
    if (ebnf.length > longestGrammar) {
      throw InputError.at("format", `makes a grammar of ${ebnf.length} characters; ${longestGrammar} are the most`, {
        shown: what,
      });
    }
    const made = this.#last.then(() => this.#matcher(ebnf, what));
    this.#last = made.catch(() => {});
    return new MatchedConstraint(await made, this.#tokenizer, this.#masks);
  }

  async #matcher(ebnf: string, what: string): Promise<Matcher> {
    const { GrammarError, XGrammar } = await import("./xgrammar.ts");
    this.#library ??= await XGrammar.open(this.#vocabulary());
    let compiled = this.#compiled.get(ebnf);
    try {
      compiled ??= await this.#library.compile(ebnf);
    } catch (error) {
      // The instance may have aborted: the next grammar gets another. Texts that it follows are no worse off.
      this.#library = undefined;
      this.#compiled.clear();
      if (error instanceof GrammarError) throw InputError.at("format", error.message, { shown: what });
      // Whatever it was, this grammar brought it about: too deep, too large.
      const reason = error instanceof Error ? error.message : String(error);
      throw InputError.at("format", `the ${what} cannot be compiled: ${reason}`, {
        shown: "response format",
        cause: error,
      });
    }
    this.#compiled.delete(ebnf);
    this.#compiled.set(ebnf, compiled);
    for (const [oldest, other] of this.#compiled) {
      if (this.#compiled.size <= cachedGrammars) break;
      this.#compiled.delete(oldest);
      other[Symbol.dispose]();
    }
    return compiled.begin();
  }

  #vocabulary() {
    const { vocab, ends, special } = this.#tokenizer;
    const barred = new Set(special.values());
    const spelling = (id: number) => (barred.has(id) ? "" : spell(this.#tokenizer.bytesOf(id)));
    return { spellings: Array.from({ length: vocab }, (_, id) => spelling(id)), size: this.#size, ends };
  }
}

class MatchedConstraint implements Constraint {
  readonly #matcher: Matcher;
  readonly #tokenizer: TokenBytes;
  readonly #masks: Utf8Masks;
  #mask: Int32Array | undefined; // of the next token, once it was asked for
  #lastByte: number | undefined;
  #done = false;

  constructor(matcher: Matcher, tokenizer: TokenBytes, masks: Utf8Masks) {
    this.#matcher = matcher;
    this.#tokenizer = tokenizer;
    this.#masks = masks;
  }

  get done(): boolean {
    return this.#done;
  }

  allowed(): Int32Array {
    return this.#next().slice();
  }

  accept(token: number): boolean {
    const mask = this.#next();
    if (!(Number.isInteger(token) && token >= 0 && token < mask.length * 32)) return false;
    if ((((mask[token >> 5] as number) >>> (token & 31)) & 1) === 0) return false;
    if (this.#done) return true;
    if (!this.#matcher.accept(token)) throw new Error(`xgrammar does not accept token ${token}, which its mask allows`);
    this.#done = this.#tokenizer.ends.has(token);
    this.#lastByte = this.#tokenizer.bytesOf(token).at(-1);
    this.#mask = undefined;
    return true;
  }

  [Symbol.dispose](): void {
    this.#matcher[Symbol.dispose]();
  }

  #next(): Int32Array {
    if (this.#mask) return this.#mask;
    const mask = this.#done ? this.#masks.only(this.#tokenizer.ends) : this.#matcher.mask();
    if (!this.#done) this.#masks.restrict(mask, this.#lastByte);
    this.#mask = mask;
    return mask;
  }
}
