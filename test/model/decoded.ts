// Decoding with a cache, as plainly as can be: past rows kept in arrays, one graph run for each chunk of tokens.

import type { Graph } from "../../src/graph/trace.ts";
import { input, trace } from "../../src/graph/trace.ts";
import { cachedStore, cacheNames } from "../../src/model/cached-store.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { owners } from "../../src/model/sharing.ts";
import { logits, transformer, weightInputs, weightsOf } from "../../src/model/transformer.ts";
import type { Program } from "../../src/runtime/program.ts";
import type { Tensor, Tensors } from "../../src/tensor/tensor.ts";

/** `tokens [T]` after a cache of S positions to `logits [T, V]` and the owners' new rows. */
export function decodeGraph(config: ModelConfig): Graph {
  return trace(() => {
    const weights = weightsOf(weightInputs(config));
    const kv = cachedStore(config, config.context);
    const hidden = transformer(config, weights, input("tokens", "int32", ["T"]), kv);
    return { logits: logits(config, weights, hidden), ...kv.written };
  });
}

/** A sequence as decoded so far: logits of every position, and the cache. */
export interface Decoded {
  readonly logits: number[];
  readonly cache: Readonly<Record<string, number[]>>;
}

/** Feeds `tokens` to a decode graph in chunks of the given sizes, then one by one. */
export async function decode(
  program: Program,
  config: ModelConfig,
  weights: Tensors,
  tokens: ArrayLike<number>,
  chunks: readonly number[],
): Promise<Decoded> {
  const width = config.kvHeads * config.headDim;
  const names = owners(config.sharing).flatMap((owner) => Object.values(cacheNames(owner)));
  const cache = Object.fromEntries(names.map((name) => [name, [] as number[]]));
  const rows: number[] = [];
  const sizes = [...chunks];
  for (let start = 0; start < tokens.length; ) {
    const count = Math.min(sizes.shift() ?? 1, tokens.length - start);
    const past = Object.entries(cache).map(([name, data]) => [name, floats([start, width], data)]);
    const made = await program.run({
      ...weights,
      ...Object.fromEntries(past),
      tokens: { dtype: "int32", shape: [count], data: Int32Array.from(tokens).slice(start, start + count) },
      positions: {
        dtype: "int64",
        shape: [1, count],
        data: BigInt64Array.from({ length: count }, (_, i) => BigInt(start + i)),
      },
      mask: decodeMask(start, count, config.heads / config.kvHeads),
    });
    rows.push(...(made.logits as Tensor<"float32">).data);
    for (const name of names) cache[name]?.push(...(made[name] as Tensor<"float32">).data);
    start += count;
  }
  return { logits: rows, cache };
}

/** Row t·R + r is token `past + t` for one of its R heads: it sees the positions up to its own. */
function decodeMask(past: number, count: number, repeat: number): Tensor {
  const data = Array.from({ length: count * repeat }, (_, row) =>
    Array.from({ length: past + count }, (_, position) =>
      position <= past + Math.floor(row / repeat) ? 0 : Number.NEGATIVE_INFINITY,
    ),
  );
  return floats([count * repeat, past + count], data.flat());
}

function floats(shape: readonly number[], data: readonly number[]): Tensor {
  return { dtype: "float32", shape, data: Float32Array.from(data) };
}
