// Runs of models small enough to judge anywhere, of every kind that export tells apart, with weights that hide nothing.

import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import type { TargetName } from "../../src/export/targets.ts";
import type { ModelConfig, ModelOptions } from "../../src/model/config.ts";
import { modelConfig } from "../../src/model/config.ts";
import { type Sharing, share } from "../../src/model/sharing.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { lively } from "../model/tiny.ts";
import { corpus } from "../text/strings.ts";

/** A tokenizer of 290 tokens; the models below score 300. */
export const tokenizer = trainBpe(corpus, { vocab: 290 });

const layers = 4;
const none: Sharing = [0, 1, 2, 3];
const all = { qkv: true, output: true, mlp: true };

/** A kind of model and what it is told as. */
export interface Kind {
  readonly target: TargetName;
  readonly more: Partial<ModelOptions>;
}

/** Models without sharing, by architecture. */
export const unsharedKinds: Readonly<Record<string, Kind>> = {
  mha: { target: "llama", more: { kvHeads: 4 } },
  gqa: { target: "llama", more: { kvNorm: "shared" } },
  mqa: { target: "llama", more: { kvHeads: 1, tiedEmbeddings: false } },
  biases: { target: "llama", more: { biases: all } },
  linear: { target: "llama", more: { ropeScaling: { type: "linear", factor: 2 } } },
  ntk: { target: "llama", more: { ropeScaling: { type: "ntk", factor: 4 } } },
  llama3: {
    target: "llama",
    more: { ropeScaling: { type: "llama3", factor: 8, originalContext: 16, lowFrequency: 1, highFrequency: 4 } },
  },
  yarn: {
    target: "llama",
    more: {
      ropeScaling: {
        ...{ type: "yarn", factor: 4, originalContext: 16, fastTurns: 32, slowTurns: 1 },
        ...{ wholePairs: true, amplitude: 1.1386 },
      },
    },
  },
  "qkv-biases": { target: "llama", more: { biases: { ...all, output: false, mlp: false } } },
  qwen3: { target: "qwen3", more: { headNorms: "before" } },
  smollm3: { target: "smollm3", more: { noRope: [1, 3] } },
  phi3: { target: "phi3", more: { ropeDim: 6 } },
  hunyuan: { target: "hunyuan", more: { headNorms: "after" } },
};

/** Models whose layers share keys and values. */
export const sharedKinds: Readonly<Record<string, Kind>> = {
  cla2: { target: "crosslayer", more: { sharing: share(layers, 2) } },
  "cla2-mqa": { target: "crosslayer", more: { sharing: share(layers, 2), kvHeads: 1, tiedEmbeddings: false } },
  "keep-ends": { target: "crosslayer", more: { sharing: share(layers, 2, "KeepEnds"), kvHeads: 4 } },
  crossed: { target: "crosslayer", more: { sharing: [0, 1, 0, 1], kvNorm: "shared" } },
  "one-owner": {
    target: "crosslayer",
    more: { sharing: [0, 0, 0, 0], biases: { qkv: true, output: false, mlp: true } },
  },
  "norms-before": { target: "crosslayer", more: { sharing: [0, 0, 2, 2], headNorms: "before" } },
  "norms-after": { target: "crosslayer", more: { sharing: [0, 0, 2, 2], headNorms: "after" } },
  "no-rope": { target: "crosslayer", more: { sharing: [0, 0, 2, 2], noRope: [2, 3] } },
  "part-turns": { target: "crosslayer", more: { sharing: [0, 0, 2, 2], ropeDim: 4 } },
  scaled: {
    target: "crosslayer",
    more: {
      sharing: [0, 0, 2, 2],
      ropeScaling: {
        ...{ type: "yarn", factor: 4, originalContext: 16, fastTurns: 32, slowTurns: 1 },
        ...{ wholePairs: true, amplitude: 1.1386 },
      },
    },
  },
};

/** The config of a kind: width 32, four heads of 8, of which two have keys and values. */
export function kindConfig({ more }: Kind): ModelConfig {
  const sizes = { layers, width: 32, heads: 4, kvHeads: 2, headDim: 8, mlpWidth: 40, vocab: 300, context: 64 };
  return modelConfig({ ...sizes, sharing: none, ...more });
}

/** A finished run of a model at `path`. */
export async function writeRun(path: string, model: ModelConfig, seed = 3): Promise<RunDirectory> {
  const run = await RunDirectory.create(path, { name: "kind", model, recipe: null, data: {} }, tokenizer.json);
  await run.saveModel(lively(model, seed));
  return run;
}
