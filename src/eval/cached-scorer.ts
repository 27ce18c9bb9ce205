// Log-likelihoods by the engine's arithmetic: tokens attend to what the paged cache holds, so that rounded keys, values
// and weights show in the scores. No scheduler: it admits one chunk to a step, and here several windows share one.

import { Runner } from "../engine/runner.ts";
import { Sequence } from "../engine/sequence.ts";
import { PagedMemory } from "../kv/paged-memory.ts";
import type { ModelConfig } from "../model/config.ts";
import type { KvDtype, WeightDtype } from "../model/formats.ts";
import { blockSize as longestBlock } from "../plan/kv-blocks.ts";
import type { Device } from "../runtime/device.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { inGroups } from "./groups.ts";
import { type Judged, scoresOf, type Window, type WindowScorer } from "./scorer.ts";

/** Tokens of a step, unless one chunk has more. */
const stepTokens = 256;

/** How a model is kept. */
export interface CachedScorerOptions {
  /** Tokens of the longest window; the model's context if not said. */
  readonly longest?: number;
  readonly kvDtype?: KvDtype;
  readonly weights?: WeightDtype;
}

/** Scores windows of tokens as the engine reads prompts: chunk by chunk, each over the cache of those before it. */
export class CachedScorer implements WindowScorer, Disposable {
  readonly #runner: Runner;
  readonly #batch: number;
  readonly #longest: number;

  private constructor(runner: Runner, batch: number, longest: number) {
    this.#runner = runner;
    this.#batch = batch;
    this.#longest = longest;
  }

  /**
   * Compiles a model with its weights. Blocks and chunks are at most a quarter of the longest window (but 4 tokens at
   * least), so that three quarters of its tokens read the cache; and at most the engine's default block.
   */
  static async create(
    device: Device,
    config: ModelConfig,
    weights: Tensors,
    { longest = config.context, kvDtype: dtype = "float32", weights: weightDtype }: CachedScorerOptions = {},
  ): Promise<CachedScorer> {
    const blockSize = Math.min(longestBlock, 2 ** Math.max(2, Math.floor(Math.log2(longest / 4))));
    const batch = Math.max(1, Math.floor(stepTokens / blockSize));
    const blocks = batch * Math.ceil(longest / blockSize);
    const memory = new PagedMemory(device, config, { blocks, blockSize, dtype });
    return new CachedScorer(await Runner.create(device, config, weights, memory, weightDtype), batch, longest);
  }

  score(windows: Iterable<Window> | AsyncIterable<Window>): AsyncGenerator<Float32Array> {
    return scoresOf(this.judge(windows));
  }

  async *judge(windows: Iterable<Window> | AsyncIterable<Window>): AsyncGenerator<Judged> {
    for await (const group of inGroups(windows, this.#batch)) yield* await this.#run(group);
  }

  async #run(group: Window[]): Promise<Judged[]> {
    const longest = this.#longest;
    const { blockSize } = this.#runner.memory;
    const windowBlocks = Math.ceil(longest / blockSize);
    const texts = group.map(({ inputs, labels }, i) => {
      if (inputs.length > longest || inputs.length !== labels.length) {
        throw new RangeError(`score: a window of ${inputs.length} tokens, at most ${longest} fit`);
      }
      const sequence = new Sequence(i, inputs, { maxTokens: 0, blockSize });
      for (let block = 0; block < sequence.blocksNeeded; block++) sequence.blocks.push(i * windowBlocks + block);
      const [scores, best] = [new Float32Array(inputs.length), new Float32Array(inputs.length)];
      return { sequence, labels, scores, best };
    });
    for (let start = 0; start < longest; start += blockSize) {
      const reading = texts.filter(({ sequence }) => sequence.pending > 0);
      if (reading.length === 0) break;
      const slices = reading.map(({ sequence }) => ({ sequence, count: Math.min(blockSize, sequence.pending) }));
      const logits = await this.#runner.runAll(slices);
      for (const [i, { sequence, labels, scores, best }] of reading.entries()) {
        for (const row of logits[i] as Float32Array[]) {
          const { highest, norm } = normOf(row);
          scores[sequence.computed] = (row[labels[sequence.computed] as number] as number) - norm;
          best[sequence.computed] = highest - norm;
          sequence.computed++;
        }
      }
    }
    return texts.map(({ scores, best }) => ({ scores, best }));
  }

  [Symbol.dispose](): void {
    this.#runner[Symbol.dispose]();
  }
}

/** The highest logit, and log Σ eˣ, in float64. */
function normOf(logits: Float32Array): { highest: number; norm: number } {
  let highest = Number.NEGATIVE_INFINITY;
  for (const x of logits) highest = Math.max(highest, x);
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - highest);
  return { highest, norm: highest + Math.log(sum) };
}
