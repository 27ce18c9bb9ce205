// How far a converted model's predictions are from the original's: the mean over tokens of KL(original ‖ converted), in
// nats. It is never below 0 and varies less than a difference of losses on the same text.

import { add, logSumExp, mul, reshape, slice, softmax, sub, sum } from "../graph/ops.ts";
import { float, input, trace } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import { causalStore } from "../model/causal-store.ts";
import type { ModelConfig } from "../model/config.ts";
import { rowPieces } from "../model/loss.ts";
import { logits, transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { type Buffer, type Device, putAll } from "../runtime/device.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";

/** An original's predictions on a text, kept as the hidden states that they follow from: conversion leaves the head. */
export class Divergence implements Disposable {
  readonly #device: Device;
  readonly #texts: readonly { readonly tokens: Buffer; readonly hidden: Buffer }[];

  private constructor(device: Device, texts: readonly { tokens: Buffer; hidden: Buffer }[]) {
    this.#device = device;
    this.#texts = texts;
  }

  /** Runs the original over `windows [batch, length]`, all of one shape. */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: Tensors,
    windows: readonly Tensor<"int32">[],
  ): Promise<Divergence> {
    const shape = windows[0]?.shape as [number, number];
    using program = await device.compile(trace(() => ({ hidden: hiddenOf(device, config, shape) })));
    const placed = putAll(device, weights);
    const texts: { tokens: Buffer; hidden: Buffer }[] = [];
    for (const window of windows) {
      const tokens = device.put(window);
      const { hidden } = await program.run({ ...placed, tokens });
      texts.push({ tokens, hidden: hidden as Buffer });
    }
    for (const buffer of Object.values(placed)) buffer[Symbol.dispose]();
    return new Divergence(device, texts);
  }

  /** The divergence of a model with these weights, nats per token. */
  async of(config: ModelConfig, weights: Tensors): Promise<number> {
    const device = this.#device;
    const [first] = this.#texts;
    const shape = first?.tokens.shape as [number, number];
    using program = await device.compile(trace(() => ({ total: divergence(device, config, shape) })));
    const placed = putAll(device, weights);
    let total = 0;
    for (const { tokens, hidden } of this.#texts) {
      const found = await program.run({ ...placed, tokens, original: hidden });
      using part = found.total as Buffer;
      total += Number((await part.read()).data[0]);
    }
    for (const buffer of Object.values(placed)) buffer[Symbol.dispose]();
    return total / (this.#texts.length * shape[0] * shape[1]);
  }

  [Symbol.dispose](): void {
    for (const { tokens, hidden } of this.#texts) {
      tokens[Symbol.dispose]();
      hidden[Symbol.dispose]();
    }
  }
}

function hiddenOf({ traits }: Device, config: ModelConfig, [batch, length]: readonly [number, number]): Value {
  const { attention, attentionBlock: block } = traits;
  const tokens = reshape(input("tokens", "int32", [batch, length]), [batch * length]);
  const store = causalStore(config, { batch, length, attention, block });
  return transformer(config, weightsOf(weightInputs(config)), tokens, store);
}

/** Σ p·(log p − log q) over tokens and vocabulary, p the original's predictions. */
function divergence(device: Device, config: ModelConfig, shape: readonly [number, number]): Value {
  const [rows, weights] = [shape[0] * shape[1], weightsOf(weightInputs(config))];
  const hidden = hiddenOf(device, config, shape);
  const original = input("original", "float32", [rows, config.width]);
  let total: Value = float(0);
  for (const [start, end] of rowPieces(config, rows, device.traits.logitElements)) {
    const scores = (of: Value) => {
      const all = logits(config, weights, slice(of, 0, start, end));
      return sub(all, reshape(logSumExp(all), [end - start, 1])); // log-probabilities
    };
    const [p, q] = [scores(original), scores(hidden)];
    const pieces = sum(mul(softmax(p), sub(p, q)), [1]);
    total = add(total, sum(pieces, [0]));
  }
  return total;
}
