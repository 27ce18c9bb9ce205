// The KvStore of a decoder that is handed its past: an owner's keys and values so far are inputs, and those with the new
// ones at their end are outputs. Owners alone have either; they are numbered by slot.

import { add, concat, reshape, rotary, softmaxWeighted, transpose } from "../graph/ops.ts";
import { constant, input } from "../graph/trace.ts";
import type { Shape, Value } from "../graph/value.ts";
import { joinHeads, scaledScores, splitHeads } from "../model/attention.ts";
import type { DecoderConfig } from "../model/config.ts";
import { type KvStore, Written } from "../model/kv.ts";
import { rotaryTables } from "../model/rotary.ts";
import { owners, sourcesOf } from "../model/sharing.ts";

/** Sizes that are known when the decoder runs, by the names that other projects' exports have for them. */
export const sizes = {
  batch: "batch_size",
  length: "sequence_length",
  past: "past_sequence_length",
  total: "total_sequence_length",
} as const;

/** The past of a slot, and what is handed back: `[batch, KV heads, positions, D]`. */
export const pastNames = (slot: number, part: "key" | "value") => ({
  past: `past_key_values.${slot}.${part}`,
  present: `present.${slot}.${part}`,
});

/** Inputs that say where tokens are: `positions [B, S]` (int64), `mask [B, 1, S, 1, T]` (0, or very negative). */
export const placeInputs = { positions: "position_ids", mask: "mask" } as const;

/** A store of rows b·S + s: token s of sequence b. */
export interface PastStore extends KvStore {
  /** Keys and values by name, once the layers are built. */
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Attention of S new tokens of each of B sequences to their past and, causally, to themselves. */
export function pastStore(config: DecoderConfig): PastStore {
  const { heads, kvHeads, headDim } = config;
  const { batch, length, past, total } = sizes;
  const tables = rotaryTables(config, config.context);
  const [cos, sin] = [constant(tables.cos), constant(tables.sin)];
  const positions = input(placeInputs.positions, "int64", [batch, length]);
  const mask = input(placeInputs.mask, "float32", [batch, 1, length, 1, total]);
  const sources = sourcesOf(config.sharing);
  const slots = { key: owners(sources.keys), value: owners(sources.values) };
  const written = { keys: new Written<Value>("keys"), values: new Written<Value>("values") };
  const outputs: Record<string, Value> = {};
  const byToken = (x: Value) => reshape(x, [batch, length, x.shape.at(-1) as number]);
  const grown = (part: "key" | "value", owner: number, rows: Value) => {
    const names = pastNames(slots[part].indexOf(owner), part);
    const before = input(names.past, "float32", [batch, kvHeads, past, headDim]);
    const fresh = transpose(reshape(byToken(rows), [batch, length, kvHeads, headDim]), [0, 2, 1, 3]);
    const all = concat([before, fresh], 2, total); // [B, G, T, D]
    outputs[names.present] = all;
    return all;
  };

  return {
    outputs,
    rotate: (x) => reshape(rotary(byToken(x), positions, cos, sin), x.shape),
    writeKeys: (owner, keys) => written.keys.set(owner, grown("key", owner, keys)),
    writeValues: (owner, values) => written.values.set(owner, grown("value", owner, values)),
    attend: (source, queries) => {
      const rows = splitHeads(byToken(queries), heads, config); // [B, G, S·R, D]
      const scores = scaledScores(rows, written.keys.of(source.keys), config);
      const perToken: Shape = [batch, kvHeads, length, heads / kvHeads, total];
      const masked = reshape(add(reshape(scores, perToken), mask), scores.shape);
      return reshape(
        joinHeads(softmaxWeighted(masked, written.values.of(source.values)), length, config),
        queries.shape,
      );
    },
  };
}
