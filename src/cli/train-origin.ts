// What a training begins from: the weights of a run, a teacher to agree with. Each is a run's directory.

import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { InputError } from "../error.ts";
import { type ModelConfig, withContext } from "../model/config.ts";
import { modelName } from "../model/model-name.ts";
import { checked } from "../options.ts";
import type { Beginning } from "../train/trainer.ts";

/** What the options give. */
export interface OriginFlags {
  init?: string;
  teacher?: string;
  distill?: number;
}

/** Adds the options. */
export function originOptions(command: Command): Command {
  return command
    .option("--init <run>", "begin with the weights of a run, its model and its tokenizer: fine-tune, uptrain")
    .option("--teacher <run>", "learn the predictions of a run beside the text, as of the one that was converted")
    .option(
      "--distill <share>",
      "how much of the loss is to agree with the teacher, from 0 to 1 (default: 0.5)",
      share,
    );
}

const standardTeacherFraction = 0.5;

const runSchema = z.object({ path: z.string(), name: z.string(), weights: z.string().optional() });
const originSchema = z.object({
  kind: z.literal("train"),
  init: runSchema.optional(),
  teacher: runSchema.extend({ share: z.number().min(0).max(1) }).optional(),
});

/** What a run's config keeps of where it began. */
type OriginRecord = z.output<typeof originSchema>;

/** The runs that a training begins from. */
export interface Origin {
  readonly record: OriginRecord;
  /** The model to begin with, where its weights are. */
  readonly model: ModelConfig | undefined;
  /** Tokens that the model must score: the vocabulary of the runs, padding included. */
  readonly vocab: number;
  /** The runs' tokenizer.json, and where it is. */
  readonly tokenizer: { readonly json: unknown; readonly path: string };
  /** The run that model or tokenizer are of. */
  readonly run: RunDirectory;
  /** The text that the run to begin with was trained on. */
  readonly data: { readonly source?: string; readonly field?: string; readonly validationFraction?: number };
  /** What the trainer begins with, for sequences of `context` tokens. @throws InputError beyond the teacher's context. */
  beginning(context: number): Promise<Beginning>;
}

/** Opens what the options name; undefined where they name nothing. @throws InputError where runs do not go together. */
export async function openOrigin({ init, teacher, distill }: OriginFlags): Promise<Origin | undefined> {
  if (distill !== undefined && teacher === undefined) {
    throw new InputError("--distill: there is no teacher to agree with; give --teacher a run's directory");
  }
  const [begun, taught] = [await opened(init), await opened(teacher)];
  const first = begun ?? taught;
  if (!first) return undefined;
  if (begun && taught) checkTogether(begun, taught);
  const { model } = first.config;
  return {
    record: {
      kind: "train",
      ...(begun && { init: await recordOf(begun) }),
      ...(taught && { teacher: { ...(await recordOf(taught)), share: distill ?? standardTeacherFraction } }),
    },
    model: begun?.config.model,
    run: first,
    vocab: model.vocab,
    tokenizer: { json: first.tokenizer, path: join(first.path, "tokenizer.json") },
    data: (begun?.config.data ?? {}) as Origin["data"],
    async beginning(context) {
      const config = taught && withContext(taught.config.model, context);
      return {
        weights: (await begun?.loadModel())?.tensors,
        ...(taught &&
          config && {
            teacher: { config, weights: (await taught.loadModel()).tensors, share: distill ?? standardTeacherFraction },
          }),
      };
    },
  };
}

/** What a run began from, as its config keeps it. */
export function originOf({ path, config }: RunDirectory): Partial<OriginRecord> {
  if ((config.origin as { kind?: unknown } | undefined)?.kind !== "train") return {};
  return checked(originSchema, config.origin, `${path}: origin`);
}

/** Opens what a run began from, as far as it still needs it to go on. @throws InputError where that is gone. */
export async function storedOrigin(run: RunDirectory): Promise<Origin | undefined> {
  const { init, teacher } = originOf(run);
  const origin = await openOrigin({
    ...(init && !run.begun ? { init: init.path } : {}),
    ...(teacher ? { teacher: teacher.path, distill: teacher.share } : {}),
  });
  for (const [was, is] of [
    [init, origin?.record.init],
    [teacher, origin?.record.teacher],
  ]) {
    if (!was?.weights || !is || was.weights === is.weights) continue;
    throw new InputError(
      `${was.path}: has other weights now than when ${run.path} was begun; restore them, or begin anew`,
    );
  }
  return origin;
}

async function recordOf(run: RunDirectory): Promise<z.output<typeof runSchema>> {
  return { path: run.path, name: run.config.name, weights: await run.weightsMark() };
}

/** Throws an InputError where text was prepared by another tokenizer than the runs'. */
export function checkTokenizer({ tokenizer }: Origin, json: unknown, source: string): void {
  if (isDeepStrictEqual(tokenizer.json, json)) return;
  throw new InputError(`${source}: was prepared by another tokenizer than ${tokenizer.path}; prepare it by that one`);
}

async function opened(path: string | undefined): Promise<RunDirectory | undefined> {
  return path === undefined ? undefined : RunDirectory.open(path);
}

function checkTogether(begun: RunDirectory, taught: RunDirectory): void {
  const [own, other] = [begun.config.model, taught.config.model];
  if (own.vocab !== other.vocab || !isDeepStrictEqual(begun.tokenizer, taught.tokenizer)) {
    throw new InputError(
      `--teacher: ${taught.path} (${modelName(other)}, ${other.vocab} tokens) and ${begun.path} (${own.vocab}) have different tokenizers; a teacher needs that of its pupil`,
    );
  }
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 1.");
}
