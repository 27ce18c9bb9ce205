// What may happen to a memory, as a list of events: texts that come, go on by a token or several, begin like another and share
// its blocks, end and leave theirs to the next; calm times in which all decode; and the memory's resizing. Drawn at random,
// the same for the same seed.

import type { Span } from "../../src/kv/kv-memory.ts";
import { Random } from "../../src/tensor/random.ts";

/** A step's spans with the tokens of their rows, or another size. */
export type HistoryEvent =
  | { readonly spans: readonly Span[]; readonly tokens: readonly number[] }
  | { readonly blocks: number; readonly renumbered: ReadonlyMap<number, number> };

export interface History {
  readonly events: readonly HistoryEvent[];
  /** The tokens of every text. */
  readonly texts: readonly (readonly number[])[];
  /** Of every row of every step, in order: the text, and where in it. */
  readonly rows: readonly { readonly text: number; readonly position: number }[];
}

interface Live {
  readonly text: number;
  readonly blocks: number[];
  length: number; // tokens that the memory holds
}

export function writeHistory({
  blocks: most,
  blockSize,
  context,
  vocab,
  seed,
}: {
  blocks: number;
  blockSize: number;
  context: number;
  vocab: number;
  seed: number;
}): History {
  const random = new Random(seed);
  const texts: number[][] = [];
  const rows: { text: number; position: number }[] = [];
  const events: HistoryEvent[] = [];
  let live: Live[] = [];
  let size = most;

  const used = () => new Set(live.flatMap(({ blocks }) => blocks));
  const free = () => Array.from({ length: size }, (_, i) => i).filter((block) => !used().has(block));
  const begin = () => {
    const tokens = Array.from({ length: context }, () => random.below(vocab));
    const model = live[random.below(2 * live.length)]; // half of them begin like another
    const shared = model ? Math.floor(model.length / blockSize) : 0;
    if (model) tokens.splice(0, shared * blockSize, ...(texts[model.text] as number[]).slice(0, shared * blockSize));
    live.push({ text: texts.length, blocks: model?.blocks.slice(0, shared) ?? [], length: shared * blockSize });
    texts.push(tokens);
  };

  for (let step = 0; step < 80; step++) {
    const calm = step % 8 >= 4;
    while (live.length < 2 || (!calm && live.length < 6 && random.below(2) === 0)) begin();
    const spans: Span[] = [];
    const tokens: number[] = [];
    for (const sequence of live) {
      if (!calm && random.below(5) === 0) continue; // waits
      const several = !calm && sequence.length % blockSize === 0 && random.below(4) > 0;
      const wanted = several ? 2 + random.below(6) : 1;
      const count = Math.min(wanted, context - sequence.length);
      const missing = Math.ceil((sequence.length + count) / blockSize) - sequence.blocks.length;
      const found = free();
      if (count === 0 || missing > found.length) continue;
      for (let i = 0; i < missing; i++) sequence.blocks.push(found.splice(random.below(found.length), 1)[0] as number);
      spans.push({ blocks: [...sequence.blocks], start: sequence.length, row: tokens.length, count });
      for (let i = 0; i < count; i++, sequence.length++) {
        tokens.push(texts[sequence.text]?.[sequence.length] as number);
        rows.push({ text: sequence.text, position: sequence.length });
      }
    }
    if (spans.length > 0) events.push({ spans, tokens });
    live = live.filter(({ length }) => length < context && (calm || random.below(8) > 0));
    if (step % 8 === 5) {
      const kept = [...used()];
      const keepsNumbers = step % 16 === 5;
      size = Math.max(keepsNumbers ? Math.max(...kept) + 1 : kept.length, most - random.below(8));
      const numbers = Array.from({ length: size }, (_, i) => i);
      const renumbered = new Map(
        kept.map((block) => [
          block,
          keepsNumbers ? block : (numbers.splice(random.below(numbers.length), 1)[0] as number),
        ]),
      );
      for (const { blocks } of live) blocks.splice(0, blocks.length, ...blocks.map((b) => renumbered.get(b) as number));
      events.push({ blocks: size, renumbered });
    }
  }
  return { events, texts, rows };
}

/** How many steps or spans of a history are of the kinds that a memory may treat differently. */
export function kindsOf({ events }: History, blockSize: number): Record<string, number> {
  const kinds = {
    ...{ sharing: 0, alone: 0, beginnings: 0, laterChunks: 0, reuse: 0, calm: 0 },
    ...{ resizing: 0, resizingInCalm: 0 },
  };
  const written = new Set<number>();
  let resized = false;
  let before = "";
  for (const event of events) {
    if ("renumbered" in event) {
      kinds.resizing++;
      written.clear();
      resized = true;
      continue;
    }
    const reads = event.spans.map(({ blocks, start, count }) => [count, blocks.slice(0, Math.ceil(start / blockSize))]);
    const now = JSON.stringify(reads);
    if (now === before) kinds[resized ? "resizingInCalm" : "calm"]++;
    before = now;
    resized = false;
    const singles = event.spans.filter(({ count, start }) => count === 1 && start > 0);
    const read = singles.flatMap(({ blocks, start }) => blocks.slice(0, Math.ceil(start / blockSize)));
    if (new Set(read).size < read.length) kinds.sharing++;
    kinds.alone += new Set(read).size;
    for (const { blocks, start, count } of event.spans) {
      if (start === 0) kinds.beginnings++;
      if (count > 1 && start > 0) kinds.laterChunks++;
      for (let at = Math.ceil(start / blockSize); at * blockSize < start + count; at++) {
        const block = blocks[at] as number;
        if (written.has(block)) kinds.reuse++;
        written.add(block);
      }
    }
  }
  return kinds;
}
