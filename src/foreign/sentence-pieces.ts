// A SentencePiece vocabulary with scores, as GGUF and llama2.c hold it, as a tokenizer.json: merges made of the scores.

import { beginsWith, plainAdded } from "./tokenizer-parts.ts";

/** A token of such a vocabulary. */
export interface Piece {
  /** Spaces as ▁. */
  readonly text: string;
  /** How early it is merged: the highest first. */
  readonly score: number;
  /** "special": never in a text. "byte": what stands for a byte, called as in `<0x0A>`. "unused": never merged. */
  readonly kind: "normal" | "special" | "byte" | "unused";
}

/** What else a tokenizer says. */
export interface PieceOptions {
  /** The id of the token that stands for what has no other. */
  readonly unknown: number | undefined;
  /** The id that a text begins with. */
  readonly begin: number | undefined;
  /** Whether a space is put before a text. */
  readonly spaceBefore: boolean;
}

/** The most characters of a piece that is made by merging: each has as many merges as characters. */
const longestMerged = 256;

/** A tokenizer.json. Of equal scores the earlier piece is merged first. */
export function tokenizerOfPieces(pieces: readonly Piece[], { unknown, begin, spaceBefore }: PieceOptions): object {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges: [string, string][] = [];
  const ranked = pieces
    .map((piece, id) => ({ ...piece, id }))
    .filter(({ kind, text }) => kind === "normal" && text.length > 1 && text.length <= longestMerged)
    .sort((a, b) => b.score - a.score || a.id - b.id);
  for (const { text } of ranked) {
    const characters = [...text];
    for (let split = 1; split < characters.length; split++) {
      const [left, right] = [characters.slice(0, split).join(""), characters.slice(split).join("")];
      if (ids.has(left) && ids.has(right)) merges.push([left, right]);
    }
  }
  const added_tokens = pieces.flatMap(({ text, kind }, id) =>
    kind === "special" ? [{ id, content: text, ...plainAdded, special: true }] : [],
  );
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const beginText = begin === undefined ? undefined : pieces[begin]?.text;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens,
    normalizer: {
      type: "Sequence",
      normalizers: [...(spaceBefore ? [{ type: "Prepend", prepend: "▁" }] : []), spaces],
    },
    pre_tokenizer: null,
    post_processor: begin === undefined || beginText === undefined ? null : beginsWith(begin, beginText),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(spaceBefore ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unknown === undefined ? null : pieces[unknown]?.text,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}
