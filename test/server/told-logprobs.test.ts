// Which log-probabilities are told with which piece of text.

import { expect, test } from "vitest";
import type { Chunk } from "../../src/generate/request.ts";
import { ToldLogprobs } from "../../src/server/told-logprobs.ts";

/** Tokens are bytes; 256 is a token that ends texts. */
const tokenizer = { bytesOf: (id: number) => (id < 256 ? Uint8Array.of(id) : new TextEncoder().encode("<end>")) };

/** A chunk of bytes, of which so much text is given out. */
function chunk(bytes: readonly number[], text: string, more: Partial<Chunk> = {}): Chunk {
  const logprobs = bytes.map((token) => ({ token, text: "", logprob: -1, top: [] }));
  return { index: 0, text, tokens: bytes.filter((id) => id < 256), logprobs, ...more };
}

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];

/** The tokens that are told with each chunk. */
function told(...chunks: readonly Chunk[]): number[][] {
  const logprobs = new ToldLogprobs(tokenizer);
  return chunks.map((one) => (logprobs.with(one).logprobs ?? []).map(({ token }) => token));
}

test("tokens come with their text", () => {
  const [a, b, c] = bytesOf("abc") as [number, number, number];
  expect(told(chunk([a], "a"), chunk([b, c], "bc", { finishReason: "length" }))).toEqual([[a], [b, c]]);
});

test("what is held back waits with its text", () => {
  const [a, b, c] = bytesOf("abc") as [number, number, number];
  expect(told(chunk([a], ""), chunk([b], ""), chunk([c], "abc"))).toEqual([[], [], [a, b, c]]);
});

test("what a stop text cuts off is never told", () => {
  const [a, b, c] = bytesOf("abc") as [number, number, number];
  expect(told(chunk([a], "a"), chunk([b], ""), chunk([c], "", { finishReason: "stop" }))).toEqual([[a], [], []]);
});

test("parts of a character come when it is whole, or when the text ends in it", () => {
  const [one, two, three] = bytesOf("é€").slice(2) as [number, number, number];
  const whole = [chunk([one], ""), chunk([two], ""), chunk([three], "€")];
  expect(told(...whole)).toEqual([[], [], [one, two, three]]);
  expect(told(chunk([one], ""), chunk([two], "\ufffd", { finishReason: "length" }))).toEqual([[], [one, two]]);
});

test("a token that ends the text has no text, and is told", () => {
  const [a] = bytesOf("a") as [number];
  expect(told(chunk([a], "a"), chunk([256], "", { finishReason: "stop" }))).toEqual([[a], [256]]);
});
