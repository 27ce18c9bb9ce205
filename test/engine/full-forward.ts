// The slow, obvious twin of the engine: every token by a full forward over all that comes before it, one sequence, no
// cache. Numbers come from the graph that training uses.

import type { Value } from "../../src/graph/value.ts";
import { quantizeRows } from "../../src/kv/kv-quantization.ts";
import type { DecoderConfig } from "../../src/model/config.ts";
import type { KvStore } from "../../src/model/kv.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";
import { logitsGraph } from "../model/tiny.ts";
import { type Compiled, compile, cpu1 } from "../runtime/program.ts";

function rounding(kv: KvStore, { kvHeads, headDim }: DecoderConfig): KvStore {
  const rounded = (x: Value) => quantizeRows(x, kvHeads, headDim).restored;
  return {
    ...kv,
    writeKeys: (owner, keys) => kv.writeKeys(owner, rounded(keys)),
    writeValues: (owner, values) => kv.writeValues(owner, rounded(values)),
  };
}

/** A model run without a cache, on sequences of up to `length` tokens. */
export class FullForward implements Disposable {
  readonly #config: DecoderConfig;
  readonly #program: Compiled;
  readonly #length: number;

  private constructor(config: DecoderConfig, program: Compiled, length: number) {
    this.#config = config;
    this.#program = program;
    this.#length = length;
  }

  /** Compiles it; with `rounded`, everybody attends to keys and values rounded to 8 bits, in float32. */
  static async create(
    config: DecoderConfig,
    weights: Tensors,
    { length = config.context, rounded = false }: { length?: number; rounded?: boolean } = {},
  ): Promise<FullForward> {
    const graph = logitsGraph(config, { batch: 1, length }, rounded ? (kv) => rounding(kv, config) : undefined);
    return new FullForward(config, await compile(graph, { device: cpu1, constants: weights }), length);
  }

  /** What the graph gives for `tokens`: `logits [T, V]`, `keys.<owner>` and `values.<owner>` `[T, G·D]`. */
  async run(tokens: ArrayLike<number>): Promise<Record<string, Float32Array[]>> {
    const data = new Int32Array(this.#length); // causal: what follows is not seen
    data.set(tokens);
    const found = await this.#program.run({ tokens: { dtype: "int32", shape: [this.#length], data } });
    return Object.fromEntries(
      Object.entries(found).map(([name, { data, shape }]) => {
        const width = shape.at(-1) as number;
        const row = (i: number) => (data as Float32Array).subarray(i * width, (i + 1) * width);
        return [name, Array.from({ length: tokens.length }, (_, i) => row(i))];
      }),
    );
  }

  /** `count` tokens after `prompt`, each the likeliest; and how far ahead of the second it was, at the least. */
  async greedy(prompt: readonly number[], count: number): Promise<{ tokens: number[]; margin: number }> {
    const tokens = [...prompt];
    let margin = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const { logits } = await this.run(tokens);
      const scores = (logits as Float32Array[]).at(-1) as Float32Array;
      const [first, second] = Array.from(scores).sort((a, b) => b - a) as [number, number];
      margin = Math.min(margin, first - second);
      tokens.push(scores.indexOf(first));
    }
    return { tokens: tokens.slice(prompt.length), margin };
  }

  get config(): DecoderConfig {
    return this.#config;
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
  }
}
