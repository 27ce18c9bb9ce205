// A model in training: parameters and moments in place, and the compiled programs that move them by one step.
// Knows no data source, no files and no schedule beyond its recipe.

import type { ModelConfig } from "../model/config.ts";
import { initialize, parameters } from "../model/parameters.ts";
import { compile } from "../runtime/onnxruntime-node.ts";
import type { Program } from "../runtime/program.ts";
import { Random } from "../tensor/random.ts";
import { type Tensor, type Tensors, zeros } from "../tensor/tensor.ts";
import { momentNames, stepScalars } from "./optimizer.ts";
import { type Recipe, scheduleOf } from "./recipe.ts";
import { learningRate } from "./schedule.ts";
import { accumulateGraph, type StepOptions, sumName, updateGraph } from "./step.ts";

/** What one step did. */
export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  /** Mean over the batch, nats per token, before the step. */
  readonly loss: number;
  /** The gradients' global norm before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** Trains one model; `weights` and `state` are live, not copies. */
export class Trainer implements Disposable {
  readonly config: ModelConfig;
  readonly recipe: Recipe;
  /** Parameters by name. */
  readonly weights: Tensors;
  readonly #moments: Tensors;
  readonly #sums: Tensors;
  readonly #update: Program;
  readonly #accumulate: Program | undefined;
  #step = 0;

  private constructor(config: ModelConfig, recipe: Recipe, update: Program, accumulate: Program | undefined) {
    this.config = config;
    this.recipe = recipe;
    this.#update = update;
    this.#accumulate = accumulate;
    const list = parameters(config);
    this.weights = initialize(config, new Random(recipe.seed).split("weights"));
    this.#moments = Object.fromEntries(
      list.flatMap(({ name, shape }) =>
        Object.values(momentNames(name)).map((moment) => [moment, zeros("float32", shape)]),
      ),
    );
    this.#sums = accumulate
      ? Object.fromEntries(list.map(({ name, shape }) => [sumName(name), zeros("float32", shape)]))
      : {};
  }

  /** Compiles a recipe's step for a model and draws its initial weights. */
  static async create(config: ModelConfig, recipe: Recipe): Promise<Trainer> {
    const accumulate = recipe.batch / recipe.microBatch;
    const options: StepOptions = {
      batch: recipe.microBatch,
      length: config.context,
      optimizer: recipe.optimizer,
      accumulate,
      recompute: recipe.recompute,
    };
    const compiling = { threads: recipe.threads };
    return new Trainer(
      config,
      recipe,
      await compile(updateGraph(config, options), compiling),
      accumulate > 1 ? await compile(accumulateGraph(config, options), compiling) : undefined,
    );
  }

  /** Steps done. */
  get steps(): number {
    return this.#step;
  }

  /** Parameters and moments by name: with `steps`, all that a step depends on. */
  get state(): Tensors {
    return { ...this.weights, ...this.#moments };
  }

  /** Continues from `state` as it was after `steps` steps. Throws a TypeError where a tensor is missing or misshapen. */
  restore(state: Tensors, steps: number): void {
    for (const [name, place] of Object.entries(this.state)) {
      const source = state[name];
      if (source?.dtype !== "float32" || source.data.length !== place.data.length) {
        throw new TypeError(`restore: ${name} is ${source ? "misshapen" : "missing"}`);
      }
      (place.data as Float32Array).set(source.data as Float32Array);
    }
    this.#step = steps;
  }

  /** One step; `next` gives micro-batches of tokens `[microBatch, context + 1]`. */
  async step(next: () => Promise<Tensor<"int32">> | Tensor<"int32">): Promise<StepReport> {
    const { batch, microBatch, optimizer } = this.recipe;
    const rate = learningRate(scheduleOf(this.recipe), this.#step);
    const micro = batch / microBatch;
    let total = 0;
    for (const { data } of Object.values(this.#sums)) data.fill(0 as never);
    if (this.#accumulate) {
      for (let i = 1; i < micro; i++) {
        const feeds = { ...this.weights, ...this.#sums, tokens: await next() };
        total += number((await this.#accumulate.run(feeds, this.#sums)).loss);
      }
    }
    const feeds = {
      ...this.state,
      ...this.#sums,
      ...stepScalars(optimizer, this.#step, rate),
      tokens: await next(),
    };
    const { loss, gradNorm } = await this.#update.run(feeds, this.state);
    total += number(loss);
    this.#step++;
    return { step: this.#step, loss: total / micro, gradNorm: number(gradNorm), learningRate: rate };
  }

  [Symbol.dispose](): void {
    this.#update[Symbol.dispose]();
    this.#accumulate?.[Symbol.dispose]();
  }
}

function number(tensor: Tensor | undefined): number {
  return Number(tensor?.data[0]);
}
