// Constraints byte by byte: tokens are the 256 bytes and the end of text.

import { type Constraint, GrammarCompiler, type TokenBytes } from "../../dist/grammar/grammar.js";
import type { Random } from "../../src/tensor/random.ts";

const end = 256;

/** A tokenizer whose tokens are bytes. */
export const bytewise: TokenBytes = {
  vocab: 257,
  ends: new Set([end]),
  special: new Map([["<|endoftext|>", end]]),
  bytesOf: (id: number) => (id < end ? Uint8Array.of(id) : new TextEncoder().encode("<|endoftext|>")),
};

/** Compiles for it. */
export const compiler = await GrammarCompiler.create(bytewise);

/** Whether a constraint takes `text`, to its end. The constraint is used up. */
export function takes(constraint: Constraint, text: string | Uint8Array): boolean {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const taken = [...bytes, end].every((token) => constraint.accept(token));
  constraint[Symbol.dispose]();
  return taken;
}

/** The tokens that a mask allows. */
export function allowed(mask: Int32Array): number[] {
  return Array.from(mask, (word, i) => Array.from({ length: 32 }, (_, bit) => ((word >>> bit) & 1 ? i * 32 + bit : -1)))
    .flat()
    .filter((token) => token >= 0);
}

/**
 * A text of random tokens that are allowed, each as likely. After `patience` tokens it takes what ends something, where
 * it can. The constraint is used up.
 */
export function randomText(
  constraint: Constraint,
  random: Random,
  { tokenizer = bytewise, patience = 60 }: { tokenizer?: TokenBytes; patience?: number } = {},
): string {
  const ends = Array.from({ length: tokenizer.vocab }, (_, id) => id).filter(
    (id) => tokenizer.ends.has(id) || /^["\]}]$/.test(Buffer.from(tokenizer.bytesOf(id)).toString()),
  );
  const bytes: number[] = [];
  for (let count = 0; count < 5000; count++) {
    const tokens = allowed(constraint.allowed());
    const last = count < patience ? [] : ends.filter((id) => tokens.includes(id));
    const choices = last.length > 0 ? last : tokens;
    const token = choices[random.below(choices.length)] as number;
    if (!constraint.accept(token)) throw new Error(`token ${token} is allowed, but not accepted`);
    if (constraint.done) {
      constraint[Symbol.dispose]();
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    }
    bytes.push(...tokenizer.bytesOf(token));
  }
  throw new Error(`no end after ${Buffer.from(bytes).toString()}`);
}
