// What a sharing saves, in words.

import { owners, type Sharing } from "../model/sharing.ts";

/** What a sharing saves, in a sentence. */
export function caption(sharing: Sharing): string {
  const [layers, kept] = [sharing.length, owners(sharing).length];
  const count = (n: number) => `${n} ${n === 1 ? "layer" : "layers"}`;
  if (layers === 1) return "the only layer keeps keys and values: nothing is shared";
  if (kept === layers) return `all ${count(layers)} keep keys and values: nothing is shared`;
  const share = Number(((1 - kept / layers) * 100).toFixed(1));
  return `${kept} of ${count(layers)} ${kept === 1 ? "keeps" : "keep"} keys and values: the cache is ${share}% smaller`;
}
