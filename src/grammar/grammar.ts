// What a text may go on with, token by token: JSON of a schema, a regular expression, a grammar. Built once for a
// tokenizer; grammars are made and followed on another thread (grammar-follower.ts), which starts when the first is asked for.

import { InputError } from "../error.ts";
import { spell } from "../text/byte-alphabet.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type FollowedText, GrammarFollower } from "./grammar-follower.ts";
import type { GrammarSource } from "./grammar-source.ts";
import type { ToolCalls } from "./tool-calls.ts";
import { Utf8Masks } from "./utf8-masks.ts";

/** Follows one text. */
export interface Constraint extends Disposable {
  /** The tokens that may come next, the caller's own: a bit for each token, 32 a word, the lowest first. */
  allowed(): Int32Array;
  /** Goes on by a token. False, and nothing changes, for one that is not allowed. */
  accept(token: number): boolean;
  /**
   * Whether what may come next is known; waits for it until `until` (of `performance.now()`), if given. Where it is not,
   * `allowed` and `accept` wait as long as it takes.
   */
  ready(until?: number): boolean;
  /** Whether a token that ends texts was accepted; nothing else is allowed from then on. */
  readonly done: boolean;
}

/** What a tokenizer's tokens are. */
export type TokenBytes = Pick<Tokenizer, "vocab" | "ends" | "special" | "bytesOf">;

/** Compiles what texts may be. What was asked for lately is not compiled again. */
export class GrammarCompiler implements Disposable {
  readonly #tokenizer: TokenBytes;
  readonly #size: number;
  readonly #masks: Utf8Masks;
  #follower: GrammarFollower | undefined;

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
    return this.#constraint({ json: true });
  }

  /**
   * JSON that a schema (2020-12) allows; grammar/json-schema.ts says in what it is narrower than the schema.
   * @throws InputError for what is no schema or has a demand that is not supported, naming the place.
   */
  async jsonSchema(schema: object): Promise<Constraint> {
    // What has none, as another word than "json" has not.
    if (schema === undefined) throw InputError.at("format", 'must be "json" or {jsonSchema}');
    return this.#constraint({ jsonSchema: schema });
  }

  /** Text that a regular expression matches from end to end. @throws InputError for one that is not supported. */
  regex(pattern: string): Promise<Constraint> {
    return this.#constraint({ regex: pattern });
  }

  /** Text that calls tools. @throws InputError naming the tool whose schema is wrong or not supported. */
  toolCalls(calls: ToolCalls): Promise<Constraint> {
    return this.#constraint({ toolCalls: calls });
  }

  /** One of these texts. */
  choices(texts: readonly string[]): Promise<Constraint> {
    return this.#constraint({ choices: texts });
  }

  /**
   * Text of a grammar in xgrammar's EBNF, whose first rule is `root`. A small one can take forever: its text ends then.
   * @throws InputError with xgrammar's reason.
   */
  grammar(ebnf: string): Promise<Constraint> {
    return this.#constraint({ ebnf });
  }

  /** Constraints go on without it. */
  [Symbol.dispose](): void {
    this.#follower?.[Symbol.dispose]();
    this.#follower = undefined;
  }

  async #constraint(source: GrammarSource): Promise<Constraint> {
    this.#follower ??= new GrammarFollower(this.#vocabulary());
    return new FollowedConstraint(await this.#follower.begin(source), this.#tokenizer, this.#masks);
  }

  #vocabulary() {
    const { vocab, ends, special } = this.#tokenizer;
    const barred = new Set(special.values());
    const spelling = (id: number) => (barred.has(id) ? "" : spell(this.#tokenizer.bytesOf(id)));
    return { spellings: Array.from({ length: vocab }, (_, id) => spelling(id)), size: this.#size, ends };
  }
}

class FollowedConstraint implements Constraint {
  readonly #text: FollowedText;
  readonly #tokenizer: TokenBytes;
  readonly #masks: Utf8Masks;
  #mask: Int32Array | undefined; // of the next token, once it was asked for
  #lastByte: number | undefined;
  #done = false;

  constructor(text: FollowedText, tokenizer: TokenBytes, masks: Utf8Masks) {
    this.#text = text;
    this.#tokenizer = tokenizer;
    this.#masks = masks;
  }

  get done(): boolean {
    return this.#done;
  }

  ready(until?: number): boolean {
    return this.#done || this.#mask !== undefined || this.#text.ready(until);
  }

  allowed(): Int32Array {
    return this.#next().slice();
  }

  accept(token: number): boolean {
    const mask = this.#next();
    if (!(Number.isInteger(token) && token >= 0 && token < mask.length * 32)) return false;
    if ((((mask[token >> 5] as number) >>> (token & 31)) & 1) === 0) return false;
    if (this.#done) return true;
    this.#done = this.#tokenizer.ends.has(token);
    if (!this.#done) this.#text.accept(token);
    this.#lastByte = this.#tokenizer.bytesOf(token).at(-1);
    this.#mask = undefined;
    return true;
  }

  [Symbol.dispose](): void {
    this.#text[Symbol.dispose]();
  }

  #next(): Int32Array {
    if (this.#mask) return this.#mask;
    const mask = this.#done ? this.#masks.only(this.#tokenizer.ends) : this.#text.mask();
    if (!this.#done) this.#masks.restrict(mask, this.#lastByte);
    this.#mask = mask;
    return mask;
  }
}
