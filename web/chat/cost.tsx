// What a chat holds in the caches of its models: blocks on one scale, so that half the bytes are half the area.

import { bytesText, integerText } from "../../src/charts/quantity.ts";
import type { ModelCard } from "../../src/server/page-api.ts";
import { useColor } from "../models.ts";
import { Blocks, blocksPerCell } from "../parts/blocks.tsx";
import type { Usage } from "../server/stream.ts";

/** Blocks of so many tokens, and their bytes as the model is and without sharing. */
export function heldBytes({ blockSize, kvBytesPerToken, unsharedKvBytesPerToken }: ModelCard, tokens: number) {
  const blocks = Math.ceil(tokens / blockSize);
  const taken = blocks * blockSize;
  return { blocks, own: taken * kvBytesPerToken, unshared: taken * unsharedKvBytesPerToken };
}

/** A model of the chat and what its last request took. */
export interface Holder {
  readonly card: ModelCard;
  readonly usage: Usage;
}

const width = 480;
const height = 36;

/** The card: a sentence that is so before anything is asked, then the blocks of each. */
export function Cost({ holders }: { holders: readonly Holder[] }) {
  const cards = holders.map(({ card }) => card);
  const lengths = cards.map((card) => heldBytes(card, card.config.context));
  const most = Math.max(...lengths.map(({ own, unshared }) => (cards.length === 1 ? unshared : own)));
  const perCell = blocksPerCell(Math.max(...lengths.map(({ blocks }) => blocks)));
  return (
    <section class="card cost" aria-label="Cache that the conversation holds">
      <p class="point">{pointOf(cards)}</p>
      <div class={holders.length > 1 ? "columns two" : "columns"}>
        {holders.map((holder, i) => (
          <Held key={i} holder={holder} most={most} perCell={perCell} alone={holders.length === 1} />
        ))}
      </div>
    </section>
  );
}

function Held(props: { holder: Holder; most: number; perCell: number; alone: boolean }) {
  const { most, perCell, alone } = props;
  const { card, usage } = props.holder;
  const tokens = usage.prompt + usage.completion;
  const full = heldBytes(card, card.config.context);
  const held = heldBytes(card, tokens);
  const used = Math.min(held.blocks, full.blocks);
  const counts = { shared: 0, used, cached: 0, free: full.blocks - used };
  const color = useColor(card.name);
  const saves = alone && card.unsharedKvBytesPerToken > card.kvBytesPerToken;
  const part = full.own / most;
  return (
    <div class="held">
      <p class="held-name">
        <i class="swatch" style={{ background: color }} /> {card.name}
      </p>
      <div style={{ width: `${100 * part}%` }}>
        <Blocks
          {...{ counts, color, perCell, height }}
          width={width * part}
          label={`${card.name}: ${integerText(used)} of ${integerText(full.blocks)} blocks of a full context`}
        />
      </div>
      {tokens === 0 ? (
        <p class="held-text">
          <strong>{bytesText(full.own)}</strong> for a full context
          {saves && `, ${bytesText(full.unshared)} without sharing`}
        </p>
      ) : (
        <p class="held-text">
          <strong>{bytesText(held.own)}</strong> held
          {saves && `, ${bytesText(held.unshared)} without sharing`}
        </p>
      )}
      <p class="note">
        {tokens === 0
          ? `${integerText(card.config.context)} tokens, nothing held yet`
          : `${integerText(tokens)} of ${integerText(card.config.context)} tokens (${integerText(usage.prompt)} read${
              usage.cached > 0 ? `, ${integerText(usage.cached)} of them found in the cache` : ""
            }, ${integerText(usage.completion)} written)`}
      </p>
    </div>
  );
}

/** What is so of these models whatever is said. */
function pointOf(cards: readonly ModelCard[]): string {
  const [left, right] = [...cards].sort((a, b) => a.kvBytesPerToken - b.kvBytesPerToken);
  if (!left) return "";
  const times = (ratio: number) => `${Number(ratio.toPrecision(3))}×`;
  if (right && right.kvBytesPerToken > left.kvBytesPerToken) {
    const ratio = right.kvBytesPerToken / left.kvBytesPerToken;
    return `${left.name} keeps ${bytesText(left.kvBytesPerToken)} per token, ${right.name} ${bytesText(right.kvBytesPerToken)}: the same memory holds ${times(ratio)} the text.`;
  }
  if (left.unsharedKvBytesPerToken > left.kvBytesPerToken) {
    const ratio = left.unsharedKvBytesPerToken / left.kvBytesPerToken;
    return `${left.name} keeps ${bytesText(left.kvBytesPerToken)} per token, ${bytesText(left.unsharedKvBytesPerToken)} without sharing: the same memory holds ${times(ratio)} the text.`;
  }
  return `${left.name} keeps ${bytesText(left.kvBytesPerToken)} per token: every layer its own.`;
}
