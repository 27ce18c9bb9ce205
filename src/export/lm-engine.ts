// The training of a run as the authors' engine takes it (open-lm-engine/lm-engine, arguments/__init__.py): one YAML that
// trains the same architecture anew, and one that goes on from the exported weights.

import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { isObject } from "../files/json-file.ts";
import { type RecipeOptions, recipe } from "../train/recipe.ts";
import { yaml } from "./yaml.ts";

/** Steps, if a run was not trained here. */
const unsaidSteps = 1000;

/** The files by name. */
export function trainingFiles(run: RunDirectory, config: Readonly<Record<string, unknown>>): Record<string, string> {
  const { architectures: _, ...pretrained } = config;
  return {
    "pretrain.yml": file("Trains this architecture anew.", run, { pretrained_config: pretrained }),
    "continue.yml": file("Goes on from the weights beside this file; run it in their folder.", run, {
      model_name: ".",
    }),
  };
}

function file(purpose: string, run: RunDirectory, model: object): string {
  const head = [
    `# ${run.config.name}: ${purpose} For open-lm-engine/lm-engine.`,
    "# Sizes, batch and schedule are the run's. Say where your tokens are (class_args.data_path, made by the engine's",
    "# tools/data/preprocess_data.py), how many accelerators share the batch, and larger sizes where you want them.",
  ];
  return `${head.join("\n")}\n${yaml(training(run, model))}`;
}

function training({ config }: RunDirectory, model: object): object {
  const said = isObject(config.recipe) ? config.recipe : { steps: unsaidSteps };
  const { steps, batch, microBatch, learningRate, warmup, floor, seed, optimizer, precision } = recipe(
    said as unknown as RecipeOptions,
  );
  const warmupSteps = Math.round(warmup * steps);
  return {
    datasets: [
      {
        ...{ class_name: "MegatronDataset", data_name: "Megatron", data_sampling_ratio: 1 },
        class_args: {
          ...{ eval_steps: 2, data_cache_path: "cache", data_path: ["data/tokens"], split: "98,1,1" },
          sequence_length: config.model.context,
        },
      },
    ],
    tokenizer_args: { tokenizer_name: "." },
    model_args: { ...model, efficient_initialization: false },
    tuning_args: { tuning_method: "pretraining" },
    random_args: { seed },
    save_args: { save_path: "checkpoints", save_interval: Math.max(1, Math.min(5000, steps)) },
    training_parameters: {
      ...{ num_training_steps: steps, eval_interval: Math.max(1, Math.min(1000, steps)) },
      ...{ micro_batch_size: microBatch, gradient_accumulation_steps: batch / microBatch },
      gradient_clipping: optimizer.clip,
    },
    optimizer_args: {
      class_name: "TorchAdamW",
      class_args: {
        ...{ lr: learningRate, weight_decay: optimizer.weightDecay },
        ...{ betas: [optimizer.beta1, optimizer.beta2], eps: optimizer.epsilon },
      },
    },
    lr_scheduler_args: {
      ...{ lr_decay_style: "cosine", num_warmup_steps: warmupSteps, num_decay_steps: steps - warmupSteps },
      lr_decay_factor: floor,
    },
    mixed_precision_args: { dtype: precision === "float32" ? "fp32" : "bf16" },
    distributed_args: { stage: 3 },
  };
}
