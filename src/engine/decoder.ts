// One sequence, decoded with its shared cache: a chunk of tokens in, the logits after the last of them out.
// Knows token ids only, and no sampling.

import { gather } from "../graph/ops.ts";
import { input, trace } from "../graph/trace.ts";
import { cachedStore } from "../model/cached-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { logits, transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { compile } from "../runtime/onnxruntime-node.ts";
import type { Program } from "../runtime/program.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { KvCache } from "./kv-cache.ts";

/** Tokens of a prompt that are read at once. */
const chunk = 128;

/** A model ready to decode one sequence at a time. */
export class Decoder implements Disposable {
  readonly config: ModelConfig;
  readonly cache: KvCache;
  readonly #program: Program;

  private constructor(config: ModelConfig, cache: KvCache, program: Program) {
    this.config = config;
    this.cache = cache;
    this.#program = program;
  }

  /** Compiles a model for sequences of up to `capacity` tokens, the model's context if not given. */
  static async create(
    config: ModelConfig,
    weights: Tensors,
    { threads, capacity = config.context }: { threads?: number; capacity?: number } = {},
  ): Promise<Decoder> {
    const graph = trace(() => {
      const named = weightsOf(weightInputs(config));
      const store = cachedStore(config, capacity);
      const hidden = transformer(config, named, input("tokens", "int32", ["T"]), store);
      const last = gather(hidden, input("last", "int32", [1])); // [1, C]
      return { logits: logits(config, named, last), ...store.written };
    });
    const program = await compile(graph, { threads, bound: weights });
    return new Decoder(config, new KvCache(config, capacity), program);
  }

  /** Reads `tokens` after what the cache holds and gives the scores `[V]` of the next token. */
  async read(tokens: readonly number[]): Promise<Float32Array> {
    if (tokens.length === 0) throw new RangeError("decoder: no tokens to read");
    let scores: Tensor | undefined;
    for (let start = 0; start < tokens.length; start += chunk) {
      const part = tokens.slice(start, start + chunk);
      const written = await this.#program.run({ ...this.cache.feeds, ...this.#feeds(part) });
      this.cache.append(written, part.length);
      scores = written.logits;
    }
    return scores?.data as Float32Array;
  }

  #feeds(tokens: readonly number[]): Tensors {
    const [past, count, repeat] = [this.cache.length, tokens.length, this.config.heads / this.config.kvHeads];
    const positions = BigInt64Array.from(tokens, (_, i) => BigInt(past + i));
    const mask = new Float32Array(count * repeat * (past + count));
    for (let row = 0; row < count * repeat; row++) {
      const seen = past + Math.floor(row / repeat) + 1;
      mask.fill(Number.NEGATIVE_INFINITY, row * (past + count) + seen, (row + 1) * (past + count));
    }
    return {
      last: { dtype: "int32", shape: [1], data: Int32Array.of(count - 1) },
      tokens: { dtype: "int32", shape: [count], data: Int32Array.from(tokens) },
      positions: { dtype: "int64", shape: [1, count], data: positions },
      mask: { dtype: "float32", shape: [count * repeat, past + count], data: mask },
    };
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
