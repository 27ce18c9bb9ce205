// A model's first weights, drawn by several threads where they are many: a parameter depends on the seed and its name alone.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { ModelConfig } from "../model/config.ts";
import { type DrawnParameter, initialValue, parameters } from "../model/parameters.ts";
import { Random } from "../tensor/random.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";

/** Numbers that are drawn sooner than a thread starts. */
const startCost = 2 ** 20;

/** What a thread is given: parameters to draw, of the recipe's seed. */
export interface Draws {
  readonly seed: number;
  readonly parameters: readonly DrawnParameter[];
}

/** What a thread answers, once for each. */
export interface Drawn {
  readonly name: string;
  readonly data: Float32Array<ArrayBuffer>;
}

/** The stream that a recipe's weights are drawn from. */
export const weightStream = (seed: number): Random => new Random(seed).split("weights");

/** The same as `initialize` with `weightStream(seed)`, in less time. */
export async function initialWeights(
  config: ModelConfig,
  seed: number,
  threads = availableParallelism(),
): Promise<Tensors> {
  const list = parameters(config);
  const drawn = new Map<string, Tensor>();
  const large = list.filter(({ init, shape }) => "std" in init && sizeOf(shape) >= startCost / 16);
  const elements = large.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const shares = evenly(large, Math.min(threads, Math.floor(elements / startCost)));
  // Where threads do not start, all is drawn here.
  await Promise.all(shares.map((share) => drawShare(seed, share, drawn).catch(() => {})));
  const random = weightStream(seed);
  return Object.fromEntries(
    list.map((parameter) => [parameter.name, drawn.get(parameter.name) ?? initialValue(parameter, random)]),
  );
}

/** Shares of about the same size; none for one thread or less. */
function evenly(list: readonly DrawnParameter[], count: number): DrawnParameter[][] {
  if (count < 2) return [];
  const shares = Array.from({ length: count }, () => ({ elements: 0, parameters: [] as DrawnParameter[] }));
  for (const parameter of list.toSorted((a, b) => sizeOf(b.shape) - sizeOf(a.shape))) {
    const least = shares.reduce((a, b) => (b.elements < a.elements ? b : a));
    least.elements += sizeOf(parameter.shape);
    least.parameters.push(parameter);
  }
  return shares.map(({ parameters }) => parameters).filter((share) => share.length > 0);
}

function drawShare(seed: number, share: readonly DrawnParameter[], into: Map<string, Tensor>): Promise<void> {
  const shapes = new Map(share.map(({ name, shape }) => [name, shape]));
  const workerData: Draws = { seed, parameters: share.map(({ name, shape, init }) => ({ name, shape, init })) };
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./draw-thread.js", import.meta.url), { workerData });
    worker.on("message", ({ name, data }: Drawn) => {
      into.set(name, { dtype: "float32", shape: shapes.get(name) as readonly number[], data });
    });
    worker.once("error", reject);
    worker.once("exit", () => resolve());
  });
}
