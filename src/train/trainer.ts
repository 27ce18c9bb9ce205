// A model in training: parameters and moments on a device, and the compiled programs that move them by one step.
// Knows no data source, no files and no schedule beyond its recipe.

import type { ModelConfig } from "../model/config.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import { parameters } from "../model/parameters.ts";
import { type Buffer, type Buffers, type Device, putAll, readAll } from "../runtime/device.ts";
import { sizeOf, type Tensor, type Tensors, zeros } from "../tensor/tensor.ts";
import { initialWeights } from "./initial-weights.ts";
import { momentNames, stepScalars } from "./optimizer.ts";
import { type Recipe, scheduleOf } from "./recipe.ts";
import { learningRate } from "./schedule.ts";
import { sumName, teacherName } from "./step.ts";
import { compileStep, type StepPrograms } from "./step-programs.ts";

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
  readonly #programs: StepPrograms;
  #weights: Buffers;
  #moments: Buffers;
  #sums: Buffers;
  /** The teacher's parameters, which no step changes. */
  #taught: Buffers = {};
  #step = 0;

  private constructor(device: Device, config: ModelConfig, recipe: Recipe, weights: Tensors, programs: StepPrograms) {
    this.config = config;
    this.recipe = recipe;
    this.#device = device;
    this.#programs = programs;
    const { accumulate, layouts } = programs;
    const list = parameters(config);
    const zeroed = (names: (name: string) => string[]) =>
      putAll(
        device,
        Object.fromEntries(
          list.flatMap(({ name, shape }) => names(name).map((named) => [named, zeros("float32", shape)])),
        ),
        layouts,
      );
    this.#weights = putAll(device, weights, layouts);
    this.#moments = zeroed((name) => Object.values(momentNames(name)));
    this.#sums = accumulate ? zeroed((name) => [sumName(name)]) : {};
  }

  /**
   * Compiles a recipe's step for a model and draws its initial weights, if none are given. On several processors sequences are split over
   * them; with `shard`, parameters and moments too.
   * @throws InputError where a micro-batch does not divide over them.
   */
  static async create(
    device: Device,
    config: ModelConfig,
    recipe: Recipe,
    shard?: Shard,
    { weights: given, teacher }: Beginning = {},
  ): Promise<Trainer> {
    const [weights, programs] = await Promise.all([
      given ? copied(given) : initialWeights(config, recipe.seed), // steps write over weights in place
      compileStep(device, config, recipe, shard, teacher), // last: it holds this thread while others draw
    ]);
    const trainer = new Trainer(device, config, recipe, weights, programs);
    if (teacher) trainer.#taught = putAll(device, taughtInputs(teacher), programs.layouts);
    return trainer;
  }

  /** Steps done. */
  get steps(): number {
    return this.#step;
  }

  /** What the runtime made of the step, where it says (see `Program.digest`). */
  get digest(): string | undefined {
    const { update, accumulate } = this.#programs;
    return update.digest && [update.digest, accumulate?.digest].filter(Boolean).join("+");
  }

  /** Bytes that a step takes on each processor, by the compiler's count, where the runtime says. */
  get bytes(): number | undefined {
    return this.#programs.bytes;
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
        this.#programs.layouts,
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
    const { update, accumulate, layouts } = this.#programs;
    const rate = learningRate(scheduleOf(this.recipe), this.#step);
    const micro = batch / microBatch;
    const losses: Buffer[] = [];
    if (accumulate) {
      this.#sums = await this.#device.clear(this.#sums);
      for (let i = 1; i < micro; i++) {
        using tokens = this.#device.put(await next(), layouts.tokens);
        const { loss, ...sums } = await accumulate.run({ ...this.#weights, ...this.#sums, ...this.#taught, tokens });
        this.#sums = sums;
        losses.push(loss as Buffer);
      }
    }
    using tokens = this.#device.put(await next(), layouts.tokens);
    const scalars = putAll(this.#device, stepScalars(optimizer, this.#step, rate));
    const inputs = { ...this.#weights, ...this.#moments, ...this.#sums, ...this.#taught, ...scalars, tokens };
    const { loss, gradNorm, ...state } = await update.run(inputs);
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
    this.#programs[Symbol.dispose]();
    for (const buffers of [this.#weights, this.#moments, this.#sums, this.#taught]) disposeAll(buffers);
  }
}

function copied(tensors: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as Tensor]),
  );
}

function taughtInputs({ weights }: Teacher): Tensors {
  return Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [teacherName(name), tensor]));
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
