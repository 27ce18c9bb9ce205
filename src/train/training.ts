// A training run from its first or its next step to its last: data in, steps out, checkpoints and metrics on the way.
// A generator, so that the caller prints, stops and validates as it likes. Knows no command line and no evaluation.

import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Shard } from "../model/parameter-layouts.ts";
import { type Buffers, type Device, readAll } from "../runtime/device.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import type { Recipe } from "./recipe.ts";
import { type Beginning, type PendingStep, type StepReport, Trainer } from "./trainer.ts";

/** Batches in an order that is fixed by their seed, from any position. */
export interface BatchSource {
  next(): Promise<{ tokens: Tensor<"int32"> }> | { tokens: Tensor<"int32"> };
  /** Sequences given so far. */
  readonly position: number;
  seek(position: number): void;
}

/** A loss or gradient that is no number any more: the run cannot go on. */
export class DivergedError extends InputError {}

/** What to train, on what, and where to keep it. */
export interface TrainOptions {
  /** Where it is computed. */
  device: Device;
  model: ModelConfig;
  recipe: Recipe;
  /** What else than the batch is split over a device's cards. */
  shard?: Shard | undefined;
  /** Micro-batches `[microBatch, context + 1]`. */
  batches: BatchSource;
  /** What it begins with, where that is not random weights alone. */
  beginning?: Beginning | undefined;
  /** Where checkpoints and metrics go; nothing is kept if not given. Its checkpoint, if it has one, is continued. */
  directory?: RunDirectory;
  /** Mean loss in nats per token on held-out text; called every `recipe.validateEvery` steps and at the end. */
  validate?: (weights: Buffers) => Promise<number>;
  /** Given the final weights where they lie, once they are kept; theirs no longer when it returns. */
  finish?: (weights: Buffers) => Promise<void>;
  /** Told of what a user should know and nothing hangs on. */
  onWarning?: (text: string) => void;
  /** Stops the run after the step in hand, with a checkpoint. */
  signal?: AbortSignal;
}

/** A step, with what it took. */
export interface TrainStep extends StepReport {
  /** Held-out loss in nats per token, where this step was validated. */
  readonly validation?: number;
  /** Seconds that the step took, without validation and checkpoint. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

/**
 * Trains, yielding every step. Continued from a checkpoint it gives the same numbers, bit for bit, as a run that never
 * stopped. Returns the final weights and whether all steps were done (false after `signal`).
 * @throws DivergedError where the loss is no number any more.
 */
export async function* train(
  options: TrainOptions,
): AsyncGenerator<TrainStep, { weights: Tensors; finished: boolean }> {
  const { device, model, recipe, batches, directory, validate, signal } = options;
  using trainer = await Trainer.create(device, model, recipe, options.shard, options.beginning);
  await resume(trainer, options);
  await using saver = new Saver(trainer, options);
  const tokens = recipe.batch * model.context;
  const isLast = (step: number) => step === recipe.steps;
  const isValidated = (step: number) =>
    validate !== undefined && isDue(step, recipe.validateEvery, recipe.validateEvery > 0 && isLast(step));
  const isSaved = (step: number) => isDue(step, recipe.checkpointEvery, isLast(step));
  const pending: PendingStep[] = [];
  let saved = trainer.steps;
  let start = performance.now();
  for (;;) {
    const goesOn = trainer.steps < recipe.steps && !signal?.aborted;
    if (!goesOn && pending.length === 0) break;
    if (goesOn) {
      if (pending.length === 0) start = performance.now();
      pending.push(await trainer.step(async () => (await batches.next()).tokens));
    }
    // Weights are read only when no later step has begun to replace them, and kept only when they are known to be numbers.
    const isRead = !goesOn || isValidated(trainer.steps) || isSaved(trainer.steps);
    while (pending.length > (isRead ? 0 : device.traits.runsAhead)) {
      const report = await (pending.shift() as PendingStep).report();
      const seconds = (performance.now() - start) / 1000;
      checkFinite(report, recipe, saved);
      const step: TrainStep = {
        ...report,
        ...(isValidated(report.step) ? { validation: await validate?.(trainer.weights) } : {}),
        seconds,
        tokensPerSecond: tokens / seconds,
      };
      await directory?.appendMetrics(step);
      if (isSaved(report.step)) {
        await saver.save();
        saved = report.step;
      }
      yield step;
      await breathe();
      start = performance.now();
    }
  }
  const finished = trainer.steps >= recipe.steps;
  if (saved !== trainer.steps) await saver.save();
  await saver.written();
  const weights = await readAll(trainer.weights);
  if (finished) {
    await directory?.saveModel(weights, recipe.saveDtype);
    await options.finish?.(trainer.weights);
  }
  return { weights, finished };
}

/** Keeps checkpoints. A file is written while later steps are computed, unless those would change what it is written from. */
class Saver implements AsyncDisposable {
  readonly #trainer: Trainer;
  readonly #options: TrainOptions;
  #writing: Promise<void> = Promise.resolve();

  constructor(trainer: Trainer, options: TrainOptions) {
    this.#trainer = trainer;
    this.#options = options;
  }

  /** Reads the state as it is and begins to write it. @throws InputError where the file before it could not be written. */
  async save(): Promise<void> {
    const { device, batches, directory } = this.#options;
    if (!directory) return;
    const { steps, digest } = this.#trainer;
    const state = { step: steps, position: batches.position, ...(digest && { program: digest }) };
    const tensors = await this.#trainer.read();
    await this.#writing;
    this.#writing = directory.saveCheckpoint(tensors, state);
    this.#writing.catch(() => {}); // whoever awaits it next is told
    if (device.traits.memory === "host") await this.#writing;
  }

  /** Waits for the last file. @throws InputError where it could not be written. */
  written(): Promise<void> {
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => {}); // a run that failed tells its own error
  }
}

async function resume(trainer: Trainer, { device, batches, directory, onWarning }: TrainOptions): Promise<void> {
  const checkpoint = await directory?.loadCheckpoint();
  const step = Number(checkpoint?.state.step ?? 0);
  if (checkpoint) {
    const { program } = checkpoint.state;
    if (program !== undefined && trainer.digest !== undefined && program !== trainer.digest) {
      onWarning?.(
        "the step was compiled anew or for another card since the checkpoint; sums may be rounded otherwise, so bits may differ",
      );
    } else if (!device.traits.repeatable) {
      onWarning?.(`${device.name} adds in no fixed order; bits may differ from those of a run that never stopped`);
    }
    trainer.restore(checkpoint.tensors, step);
    batches.seek(Number(checkpoint.state.position));
  }
  await directory?.truncateMetrics(step);
}

/** Whether something that happens every so many steps, 0 for never, happens after `step`; it does `atTheEnd`. */
function isDue(step: number, every: number, atTheEnd: boolean): boolean {
  return atTheEnd || (every > 0 && step % every === 0);
}

function checkFinite({ step, loss, gradNorm, learningRate }: StepReport, recipe: Recipe, saved: number): void {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
  const kept = saved > 0 ? ` The checkpoint of step ${saved} is kept.` : "";
  throw new DivergedError(
    `training: step ${step} gave loss ${loss} and gradient norm ${gradNorm} at learning rate ${learningRate.toPrecision(3)}; ` +
      `try a peak below ${(recipe.learningRate / 2).toPrecision(2)} or a longer warm-up.${kept}`,
  );
}

/** Lets timers and signals be seen between steps, which block the event loop. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
