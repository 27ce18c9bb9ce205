// The bytes of keys and values that a conversation holds, within those that the same model would hold without sharing.

import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import type { Usage } from "../server/stream.ts";

/** Bytes of whole blocks for so many tokens: as the model is, and without sharing. */
export function heldBytes({ blockSize, kvBytesPerToken, unsharedKvBytesPerToken }: ModelCard, tokens: number) {
  const taken = Math.ceil(tokens / blockSize) * blockSize;
  return { own: taken * kvBytesPerToken, unshared: taken * unsharedKvBytesPerToken };
}

/** Bytes at the end of the bar: what the longest conversation would hold without sharing. */
export function barLength(card: ModelCard): number {
  return heldBytes(card, card.config.context).unshared;
}

/** The bar. Bars of one `length` can be compared. */
export function CacheBar({ card, usage, length }: { card: ModelCard; usage: Usage; length: number }) {
  const tokens = usage.prompt + usage.completion;
  const { own, unshared } = heldBytes(card, tokens);
  const part = (bytes: number) => `${Math.min(100, (100 * bytes) / length)}%`;
  const saves = card.unsharedKvBytesPerToken > card.kvBytesPerToken;
  return (
    <div class="cache-bar">
      <div class="track" aria-hidden="true">
        <div class="ghost" style={{ width: part(unshared) }} />
        <div class="held" style={{ width: part(own) }} />
      </div>
      <p class="bar-text">
        <strong>{bytesText(own)}</strong>
        {saves
          ? `, ${bytesText(unshared)} without sharing: ${(card.unsharedKvBytesPerToken / card.kvBytesPerToken).toFixed(1)}×`
          : ": this model shares nothing"}
      </p>
      <p class="note">
        {integerText(tokens)} tokens ({integerText(usage.prompt)} read
        {usage.cached > 0 ? `, ${integerText(usage.cached)} of them found in the cache` : ""},{" "}
        {integerText(usage.completion)} written), in blocks of {integerText(card.blockSize)}
      </p>
    </div>
  );
}
