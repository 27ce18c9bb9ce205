// A model in training: parameters and moments on a device, and the compiled programs that move them by one step.
// Knows no data source, no files and no schedule beyond its recipe.

import type { ModelConfig } from "../model/config.ts";
import { initialize, parameters } from "../model/parameters.ts";
import {
  type Buffer,
  type Buffers,
  type Device,
  type Program,
  putAll,
  readAll,
  type Traits,
} from "../runtime/device.ts";
import { Random } from "../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors, zeros } from "../tensor/tensor.ts";
import { momentNames, stepScalars } from "./optimizer.ts";
import { type Recipe, scheduleOf } from "./recipe.ts";
import { learningRate } from "./schedule.ts";
import { accumulateGraph, type StepOptions, sumName, teacherName, updateGraph } from "./step.ts";

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

/** A step that is on its way. */
export interface PendingStep {
  /** Steps done when this one is. */
  readonly step: number;
  /** What it did, once it has; to be called once. */
  report(): Promise<StepReport>;
}

/** What training begins with, where that is not random weights alone. */
export interface Beginning {
  /** The first weights; drawn by the recipe's seed if not given. */
  readonly weights?: Tensors | undefined;
  /** A model whose predictions are learned beside the text, which it has the vocabulary of. */
  readonly teacher?: Teacher | undefined;
}

/** A model to learn from. */
export interface Teacher {
  readonly config: ModelConfig;
  readonly weights: Tensors;
  /** How much of the loss is to agree with it: see `Taught`. */
  readonly share: number;
}

/** A model's training on a device. Weights and moments are live: a step replaces them. */
export class Trainer implements Disposable {
  readonly config: ModelConfig;
  readonly recipe: Recipe;
  readonly #device: Device;
  readonly #update: Program;
  readonly #accumulate: Program | undefined;
  #weights: Buffers;
  #moments: Buffers;
  #sums: Buffers;
  /** The teacher's parameters, which no step changes. */
  readonly #taught: Buffers;
  #step = 0;

  private constructor(device: Device, config: ModelConfig, recipe: Recipe, made: Made) {
    this.config = config;
    this.recipe = recipe;
    this.#device = device;
    this.#update = made.update;
    this.#accumulate = made.accumulate;
    const list = parameters(config);
    const zeroed = (names: (name: string) => string[]) =>
      putAll(
        device,
        Object.fromEntries(
          list.flatMap(({ name, shape }) => names(name).map((named) => [named, zeros("float32", shape)])),
        ),
      );
    this.#weights = putAll(device, made.weights);
    this.#moments = zeroed((name) => Object.values(momentNames(name)));
    this.#sums = made.accumulate ? zeroed((name) => [sumName(name)]) : {};
    const taught = Object.entries(made.teacher ?? {}).map(([name, tensor]) => [teacherName(name), tensor] as const);
    this.#taught = putAll(device, Object.fromEntries(taught));
  }

  /** Compiles a recipe's step for a model and draws its initial weights, if none are given. */
  static async create(
    device: Device,
    config: ModelConfig,
    recipe: Recipe,
    { weights: given, teacher }: Beginning = {},
  ): Promise<Trainer> {
    const accumulate = recipe.batch / recipe.microBatch;
    const options: StepOptions = {
      batch: recipe.microBatch,
      length: config.context,
      optimizer: recipe.optimizer,
      accumulate,
      recompute: recipe.recompute,
      ...stepTraits(device.traits),
      precision: recipe.precision,
      teacher,
    };
    const compiling = device.compile(updateGraph(config, options));
    // While the runtime compiles. Steps write over weights in place, so given ones are copied.
    const weights = given ? copied(given) : initialize(config, new Random(recipe.seed).split("weights"));
    return new Trainer(device, config, recipe, {
      weights,
      teacher: teacher?.weights,
      update: await compiling,
      accumulate: accumulate > 1 ? await device.compile(accumulateGraph(config, options)) : undefined,
    });
  }

  /** Steps done. */
  get steps(): number {
    return this.#step;
  }

  /** Parameters by name, until the next step. */
  get weights(): Buffers {
    return this.#weights;
  }

  /** Reads parameters and moments by name: with `steps`, all that a step depends on. */
  read(): Promise<Tensors> {
    return readAll({ ...this.#weights, ...this.#moments });
  }

  /** Continues from `state` as it was after `steps` steps. Throws a TypeError where a tensor is missing or misshapen. */
  restore(state: Tensors, steps: number): void {
    const restored = (places: Buffers): Buffers =>
      putAll(
        this.#device,
        Object.fromEntries(
          Object.entries(places).map(([name, { shape }]) => {
            const source = state[name];
            if (source?.dtype !== "float32" || source.data.length !== sizeOf(shape)) {
              throw new TypeError(`restore: ${name} is ${source ? "misshapen" : "missing"}`);
            }
            return [name, { ...source, shape }];
          }),
        ),
      );
    const [weights, moments] = [restored(this.#weights), restored(this.#moments)];
    disposeAll(this.#weights);
    disposeAll(this.#moments);
    this.#weights = weights;
    this.#moments = moments;
    this.#step = steps;
  }

  /** Begins a step, which a device may still compute later; `next` gives micro-batches of tokens `[microBatch, context + 1]`. */
  async step(next: () => Promise<Tensor<"int32">> | Tensor<"int32">): Promise<PendingStep> {
    const { batch, microBatch, optimizer } = this.recipe;
    const rate = learningRate(scheduleOf(this.recipe), this.#step);
    const micro = batch / microBatch;
    const losses: Buffer[] = [];
    if (this.#accumulate) {
      this.#sums = await this.#device.clear(this.#sums);
      for (let i = 1; i < micro; i++) {
        using tokens = this.#device.put(await next());
        const { loss, ...sums } = await this.#accumulate.run({
          ...this.#weights,
          ...this.#sums,
          ...this.#taught,
          tokens,
        });
        this.#sums = sums;
        losses.push(loss as Buffer);
      }
    }
    using tokens = this.#device.put(await next());
    const scalars = putAll(this.#device, stepScalars(optimizer, this.#step, rate));
    const inputs = { ...this.#weights, ...this.#moments, ...this.#sums, ...this.#taught, ...scalars, tokens };
    const { loss, gradNorm, ...state } = await this.#update.run(inputs);
    this.#weights = pick(state, this.#weights);
    this.#moments = pick(state, this.#moments);
    disposeAll(scalars);
    losses.push(loss as Buffer);
    this.#step++;
    const step = this.#step;
    const report = async (): Promise<StepReport> => {
      let total = 0;
      for (const part of losses) total += await number(part);
      return { step, loss: total / micro, gradNorm: await number(gradNorm as Buffer), learningRate: rate };
    };
    return { step, report };
  }

  [Symbol.dispose](): void {
    this.#update[Symbol.dispose]();
    this.#accumulate?.[Symbol.dispose]();
    for (const buffers of [this.#weights, this.#moments, this.#sums, this.#taught]) disposeAll(buffers);
  }
}

/** What a device says of how a step is best written. */
function stepTraits({ attention, attentionBlock, logitElements }: Traits) {
  return { attention, block: attentionBlock, logitElements };
}

function copied(tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as Tensor]),
  );
}

/** What a trainer is made of. */
interface Made {
  readonly weights: Tensors;
  readonly teacher: Tensors | undefined;
  readonly update: Program;
  /** Of every micro-batch but the last; none where a step is one micro-batch. */
  readonly accumulate: Program | undefined;
}

async function number(buffer: Buffer): Promise<number> {
  using read = buffer;
  return Number((await read.read()).data[0]);
}

/** The buffers of `all` by the names that `like` has. */
function pick(all: Buffers, like: Buffers): Buffers {
  return Object.fromEntries(Object.keys(like).map((name) => [name, all[name] as Buffer]));
}

function disposeAll(buffers: Buffers): void {
  for (const buffer of Object.values(buffers)) buffer[Symbol.dispose]();
}
