// Generation in text on one thread: prompts become tokens, tokens become text, stop texts and formats are obeyed. Knows
// no threads and no messages.

import type { CoreRequest, Emission, EngineCore } from "../engine/core.ts";
import type { ScoredToken } from "../engine/prompt-scores.ts";
import { InputError } from "../error.ts";
import type { Constraint, GrammarCompiler } from "../grammar/grammar.ts";
import type { Sampled } from "../sampling/sampler.ts";
import { TextStream } from "../text/text-stream.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { formatConstraint } from "./format.ts";
import { withinTokenizer } from "./padding.ts";
import {
  type Chunk,
  type GenerateOptions,
  type Prompt,
  type PromptLogprob,
  type TokenLogprob,
  textCount,
} from "./request.ts";

/** A chunk and the request it belongs to, or the error that ended the request. */
export type TextEvent = { readonly request: number } & ({ readonly chunk: Chunk } | { readonly error: Error });

interface Text {
  readonly request: number;
  readonly index: number;
  readonly stream: TextStream;
  /** The prompt's. */
  readonly tokens: ArrayLike<number>;
  /** How many of them the caller did not give. */
  readonly hidden: number;
  completionTokens: number;
}

/** An engine core with a tokenizer. */
export class TextEngine implements Disposable {
  readonly core: EngineCore;
  readonly tokenizer: Tokenizer;
  readonly #texts = new Map<number, Text>(); // by sequence
  readonly #longestToken: number;
  #grammars: GrammarCompiler | undefined;

  constructor(core: EngineCore, tokenizer: Tokenizer) {
    this.core = core;
    this.tokenizer = tokenizer;
    let longest = 1;
    for (let id = 0; id < tokenizer.vocab; id++) longest = Math.max(longest, tokenizer.bytesOf(id).length);
    this.#longestToken = longest;
  }

  /** Begins the texts of `request`. @throws InputError naming the option that is wrong, or the numbers that do not fit. */
  async open(request: number, prompt: Prompt, options: GenerateOptions = {}): Promise<void> {
    const { n, stop = [], stopTokens = [], ignoreEnd = false, format, maxTokens, promptLogprobs, ...rest } = options;
    const tokens = this.#tokensOf(prompt);
    const hidden = typeof prompt === "string" ? this.tokenizer.prefix.length : 0;
    const stops = typeof stop === "string" ? [stop] : stop;
    const ids: number[] = [];
    try {
      for (let index = 0; index < textCount(n); index++) {
        const stream = new TextStream(this.tokenizer, stops);
        const constraint = await this.#constraintOf(format);
        const asked: CoreRequest = {
          prompt: tokens,
          maxTokens,
          sampling: { ...rest, seed: (rest.seed ?? 0) + index },
          stopTokens: ignoreEnd && !format ? stopTokens : [...stopTokens, ...this.tokenizer.ends],
          constraint,
          promptLogprobs,
        };
        const id = this.#add(asked);
        ids.push(id);
        this.#texts.set(id, { request, index, stream, tokens, hidden, completionTokens: 0 });
      }
    } catch (error) {
      for (const id of ids) this.#drop(id);
      throw error;
    }
  }

  /** Ends the texts of `request`. */
  close(request: number): void {
    for (const [id, text] of [...this.#texts]) if (text.request === request) this.#drop(id);
  }

  /** Whether there is nothing to do. */
  get idle(): boolean {
    return this.core.idle;
  }

  /** Computes one batch and gives what is new. */
  async step(): Promise<TextEvent[]> {
    const events: TextEvent[] = [];
    for (const emission of await this.core.step()) {
      const text = this.#texts.get(emission.id);
      if (!text) continue; // closed while the step ran, or by an error of another of its request's texts
      const { request } = text;
      try {
        if (emission.error) throw emission.error;
        events.push({ request, chunk: this.#chunk(text, emission) });
      } catch (error) {
        events.push({ request, error: named(error as Error, text) });
        this.close(request);
      }
    }
    return events;
  }

  [Symbol.dispose](): void {
    this.core[Symbol.dispose]();
    this.#grammars?.[Symbol.dispose]();
  }

  #add(asked: CoreRequest): number {
    try {
      return this.core.add(asked);
    } catch (error) {
      asked.constraint?.[Symbol.dispose]();
      throw error;
    }
  }

  #chunk(text: Text, { id, sampled, finish, reused, prompt, ending }: Emission): Chunk {
    const { index, stream } = text;
    let written = "";
    if (sampled) {
      text.completionTokens++;
      written += stream.push(sampled.token);
    }
    if (finish) written += stream.end(); // which may find a stop text in what was held back
    const reason = stream.stopped ? "stop" : finish;
    if (reason) this.#drop(id);
    const { tokens, completionTokens } = text;
    const told = sampled ?? ending;
    return {
      index,
      text: written,
      tokens: sampled ? [sampled.token] : [],
      ...(told?.logprob === undefined ? {} : { logprobs: [this.#logprobOf(told)] }),
      ...(prompt && { promptLogprobs: this.#promptLogprobs(text, prompt) }),
      usage: { promptTokens: tokens.length, cachedTokens: reused, completionTokens },
      ...(reason && { finishReason: reason }),
    };
  }

  #drop(id: number): void {
    this.core.cancel(id);
    this.#texts.delete(id);
  }

  #logprobOf({ token, logprob, top = [] }: Sampled): TokenLogprob {
    const text = (id: number) => this.tokenizer.decode([id]);
    return {
      token,
      text: text(token),
      logprob: logprob as number,
      top: top.map((other) => ({ ...other, text: text(other.token) })),
    };
  }

  #promptLogprobs({ tokens, hidden }: Text, scored: readonly ScoredToken[]): PromptLogprob[] {
    const first = tokens[0] as number;
    const all = [{ token: first, text: this.tokenizer.decode([first]), logprob: undefined, top: [] }];
    return [...all, ...scored.map((token) => this.#logprobOf(token))].slice(hidden);
  }

  #tokensOf(prompt: Prompt): ArrayLike<number> {
    if (typeof prompt !== "string" && !("template" in prompt)) return prompt;
    const text = typeof prompt === "string" ? prompt : prompt.template;
    const { longest } = this.core;
    if (text.length > longest * this.#longestToken) {
      throw InputError.at("prompt", `has ${text.length} characters; the ${longest} tokens that fit cannot hold them`, {
        code: "context_length_exceeded",
      });
    }
    if (typeof prompt !== "string") return this.tokenizer.encode(text, { special: true });
    const ids = [...this.tokenizer.prefix, ...this.tokenizer.encode(text)];
    return ids.length > 0 ? ids : [this.tokenizer.endOfText]; // a model reads one token at least
  }

  async #constraintOf(format: GenerateOptions["format"]): Promise<Constraint | undefined> {
    const { vocab } = this.core.config;
    if (format === undefined) return withinTokenizer(this.tokenizer.vocab, vocab);
    // What else is no format is told by the compiler.
    if (!this.#grammars) {
      const { GrammarCompiler } = await import("../grammar/grammar.ts"); // heavy, and seldom asked for
      this.#grammars = await GrammarCompiler.create(this.tokenizer, { vocab });
    }
    return formatConstraint(this.#grammars, format);
  }
}

/** The error, saying whose it is. */
function named(error: Error, { request, index, tokens, completionTokens }: Text): Error {
  const where = `request ${request}, text ${index}, after ${tokens.length} + ${completionTokens} tokens`;
  error.message = `${where}: ${error.message}`;
  return error;
}
