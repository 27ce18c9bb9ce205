// The inference evaluation that the paper leaves open (§7): what the cache holds, how fast a model decodes at batch and
// context, how long a first token takes, and what a fixed memory serves, with sharing and without. Models take turns step
// by step, so that a machine that slows down does so for all.

import { EngineCore } from "../../engine/core.ts";
import { Runner } from "../../engine/runner.ts";
import { PagedMemory } from "../../kv/paged-memory.ts";
import type { ModelConfig } from "../../model/config.ts";
import { kvBytesPerToken } from "../../model/cost.ts";
import type { KvDtype, WeightDtype } from "../../model/formats.ts";
import { blockSize } from "../../plan/kv-blocks.ts";
import type { Device } from "../../runtime/device.ts";
import { mean, median } from "../../tensor/estimate.ts";
import { Random } from "../../tensor/random.ts";
import { RandomPast } from "./random-past.ts";
import { randomWeights } from "./synthetic.ts";

/** A model as it is measured. */
export interface InferenceModel {
  readonly name: string;
  readonly config: ModelConfig;
}

/** What to measure. */
export interface InferencePlan {
  readonly models: readonly InferenceModel[];
  readonly kvDtypes: readonly KvDtype[];
  readonly weights: WeightDtype;
  /** Bytes in which capacity is counted. */
  readonly kvMemory: number;
  readonly batches: readonly number[];
  readonly contexts: readonly number[];
  /** Steps of which the median is taken. */
  readonly steps: number;
  /** Prompts whose first tokens are timed. */
  readonly prompts: readonly number[];
  /** Memories in which `requests` requests are served from beginning to end; none to leave it out. */
  readonly memories: readonly number[];
  readonly requests: { readonly count: number; readonly prompt: number; readonly tokens: number };
}

interface Case {
  readonly name: string;
  readonly kvDtype: KvDtype;
}

/** Tokens that the cache allocated in `kvMemory` bytes holds. */
export type Capacity = Case & { readonly kvMemory: number; readonly kvBytes: number; readonly tokens: number };
/** Tokens per second of `batch` sequences of `context` tokens, median of steps; `hostShare` is JavaScript's part. */
export type DecodeSpeed = Case & {
  readonly batch: number;
  readonly context: number;
  readonly tokensPerSecond: number;
  readonly msPerStep: number;
  readonly hostShare: number;
};
/** Milliseconds until the first token of a prompt, computed and found in the prefix cache. */
export type FirstToken = Case & { readonly prompt: number; readonly coldMs: number; readonly cachedMs: number };
/** Requests served from beginning to end in `kvMemory` bytes. */
export type Throughput = Case & {
  readonly kvMemory: number;
  readonly tokensPerSecond: number;
  readonly most: number;
  /** Part of the used blocks that holds no token, mean of the steps. */
  readonly waste: number;
  readonly preemptions: number;
};

/** What was measured. */
export interface InferenceResults {
  readonly capacity: readonly Capacity[];
  readonly decode: readonly DecodeSpeed[];
  readonly firstToken: readonly FirstToken[];
  readonly throughput: readonly Throughput[];
  /** JavaScript's part of a step at the largest batch, over all models. */
  readonly hostShare: number;
}

/** How far it is. */
export interface InferenceProgress {
  readonly done: number;
  readonly total: number;
  readonly doing: string;
}

const warmup = 3;

interface Contender extends Case {
  readonly config: ModelConfig;
  /** Reads prompts. */
  readonly core: EngineCore;
  /** Decodes after random pasts, in the same memory. */
  readonly decoding: EngineCore;
}

/** Measures a plan, telling what it is about. */
export async function* measureInference(
  device: Device,
  plan: InferencePlan,
  signal?: AbortSignal,
): AsyncGenerator<InferenceProgress, InferenceResults> {
  const cases = plan.models.flatMap((model) => plan.kvDtypes.map((kvDtype) => ({ ...model, kvDtype })));
  const total =
    1 + plan.batches.length * plan.contexts.length + plan.prompts.length + plan.memories.length * cases.length;
  let done = 0;
  const tell = (doing: string): InferenceProgress => {
    signal?.throwIfAborted();
    return { done: done++, total, doing };
  };

  yield tell("capacity");
  const capacity: Capacity[] = [];
  for (const { name, config, kvDtype } of cases) {
    const memory = Math.max(plan.kvMemory, blockSize * kvBytesPerToken(config, kvDtype));
    using core = await create(device, plan, config, kvDtype, memory);
    const { kvBytes, blocks } = core.stats();
    capacity.push({ name, kvDtype, kvMemory: memory, kvBytes, tokens: blocks.total * blockSize });
  }

  const decode: DecodeSpeed[] = [];
  const firstToken: FirstToken[] = [];
  const room = Math.max(0, ...plan.batches) * (Math.max(0, ...plan.contexts) + plan.steps + warmup + 2 * blockSize);
  const tokens = Math.max(room, ...plan.prompts.map((prompt) => prompt + 2 * blockSize));
  const contenders: Contender[] = [];
  try {
    for (const { name, config, kvDtype } of cases) {
      const blocks = Math.floor(tokens / blockSize);
      const memory = new PagedMemory(device, config, { blocks, blockSize, dtype: kvDtype });
      const runner = await Runner.create(device, config, randomWeights(config), memory, plan.weights);
      const core = new EngineCore(runner);
      const decoding = new EngineCore(new RandomPast(device, runner), {
        maxSequences: sequencesOf(plan),
        chunk: memory.blocks * blockSize, // all pasts in one step
      });
      contenders.push({ name, config, kvDtype, core, decoding });
    }
    for (const batch of plan.batches) {
      for (const context of plan.contexts) {
        yield tell(`decoding ${batch} × ${context}`);
        decode.push(...(await decodeSpeeds(contenders, batch, context, plan.steps)));
      }
    }
    for (const prompt of plan.prompts) {
      yield tell(`first token of ${prompt}`);
      for (const contender of contenders) firstToken.push(await firstTokenOf(contender, prompt));
    }
  } finally {
    for (const { core } of contenders) core[Symbol.dispose]();
  }

  const throughput: Throughput[] = [];
  for (const kvMemory of plan.memories) {
    for (const { name, config, kvDtype } of cases) {
      yield tell(`serving in ${Math.round(kvMemory / 1e6)} MB`);
      using core = await create(device, plan, config, kvDtype, kvMemory);
      throughput.push({ name, kvDtype, kvMemory, ...(await serve(core, plan.requests)) });
    }
  }
  const largest = Math.max(...plan.batches);
  const shares = decode.filter(({ batch }) => batch === largest).map(({ hostShare }) => hostShare);
  return { capacity, decode, firstToken, throughput, hostShare: median(shares) };
}

function create(
  device: Device,
  plan: InferencePlan,
  config: ModelConfig,
  kvDtype: KvDtype,
  kvMemory: number,
): Promise<EngineCore> {
  const { weights } = plan;
  const maxSequences = sequencesOf(plan);
  return EngineCore.create(device, config, randomWeights(config), { kvMemory, kvDtype, weights, maxSequences });
}

const sequencesOf = ({ batches }: InferencePlan) => Math.max(256, ...batches);

/** Steps of all contenders in turns, after random pasts; the first step computes token number `context`. */
async function decodeSpeeds(
  contenders: readonly Contender[],
  batch: number,
  context: number,
  steps: number,
): Promise<DecodeSpeed[]> {
  const random = new Random(1);
  for (const { decoding, config } of contenders) {
    for (let i = 0; i < batch; i++) {
      const prompt = Int32Array.from({ length: Math.max(1, context - 1) }, () => random.below(config.vocab));
      decoding.add({ prompt, maxTokens: steps + warmup + 1, sampling: { temperature: 0 } });
    }
    await decoding.step(); // the pasts
  }
  const times = contenders.map(() => [] as number[]);
  const shares = contenders.map(() => [] as number[]);
  for (let step = 0; step < steps + warmup; step++) {
    for (const [i, { decoding }] of contenders.entries()) {
      const [start, before] = [performance.now(), decoding.graphSeconds];
      await decoding.step();
      const ms = performance.now() - start;
      if (step < warmup) continue;
      times[i]?.push(ms);
      shares[i]?.push(1 - ((decoding.graphSeconds - before) * 1000) / ms);
    }
  }
  for (const { decoding } of contenders) decoding.forgetPrefixes();
  return contenders.map(({ name, kvDtype }, i) => {
    const msPerStep = median(times[i] as number[]);
    const hostShare = median(shares[i] as number[]);
    return { name, kvDtype, batch, context, tokensPerSecond: (batch * 1000) / msPerStep, msPerStep, hostShare };
  });
}

/** The median of three first tokens, each of a prompt of its own, and of the same prompts again. */
async function firstTokenOf({ name, kvDtype, core, config }: Contender, length: number): Promise<FirstToken> {
  const random = new Random(length);
  const [cold, cached]: [number[], number[]] = [[], []];
  for (let i = 0; i < 3; i++) {
    const prompt = Int32Array.from({ length }, () => random.below(config.vocab));
    for (const times of [cold, cached]) {
      const start = performance.now();
      core.add({ prompt, maxTokens: 1, sampling: { temperature: 0 } });
      while (!core.idle) await core.step();
      times.push(performance.now() - start);
    }
    core.forgetPrefixes();
  }
  return { name, kvDtype, prompt: length, coldMs: median(cold), cachedMs: median(cached) };
}

/** All requests at once, to their ends. */
async function serve(core: EngineCore, { count, prompt, tokens }: InferencePlan["requests"]) {
  const random = new Random(3);
  for (let i = 0; i < count; i++) {
    const ids = Int32Array.from({ length: prompt }, () => random.below(core.config.vocab));
    core.add({ prompt: ids, maxTokens: tokens, sampling: { temperature: 0 } });
  }
  const start = performance.now();
  let most = 0;
  const wastes: number[] = [];
  while (!core.idle) {
    await core.step();
    const { running, blocks, blockSize, tokens } = core.stats();
    most = Math.max(most, running);
    if (blocks.used > 0) wastes.push(1 - tokens / (blocks.used * blockSize));
  }
  const seconds = (performance.now() - start) / 1000;
  return {
    tokensPerSecond: (count * tokens) / seconds,
    most,
    waste: mean(wastes),
    preemptions: core.stats().preemptions,
  };
}
