// What one run of a study found, and the file that holds them: a line of JSON per run. Knows nothing of how runs are made.

import { z } from "zod";
import { InputError } from "../../error.ts";
import type { ContextProbes } from "../../eval/probes/probes.ts";
import { checkedRow, withCheck } from "../../files/checked-line.ts";
import { isObject } from "../../files/json-file.ts";
import { appendJsonLine, jsonLines, readJsonLines } from "../../files/json-lines.ts";
import { type ModelConfig, type ModelOptions, modelConfig } from "../../model/config.ts";
import { type Precision, precisionNames } from "../../model/precision.ts";
import { checked } from "../../options.ts";
import { probesSchema, type TaskScores, taskScoresSchema } from "./evaluations.ts";

/** How much text a side of a dataset holds. */
export interface TextSize {
  readonly tokens: number;
  readonly documents: number;
  readonly bytes: number;
  readonly words: number;
}

/** A point of a loss curve: mean training loss up to `step` (nats per token), and the validation loss if taken there. */
export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
  readonly validation?: number | undefined;
}

/** How well a model predicts held-out text. */
export interface Quality {
  /** Nats per token. */
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  readonly wordPerplexity: number;
}

/** One finished run. What a run that diverged could not measure is NaN. */
export interface Result {
  /** Hash of all that fixes the run: a sweep skips what is there. */
  readonly key: string;
  readonly name: string;
  readonly model: ModelConfig;
  readonly seed: number;
  /** Peak of the schedule. */
  readonly learningRate: number;
  /** The run chose a learning rate, and no figure is taken from it. */
  readonly purpose?: "tuning" | undefined;
  readonly steps: number;
  /** Tokens trained on, repeats counted. */
  readonly tokens: number;
  readonly parameters: { readonly total: number; readonly nonEmbedding: number };
  /** Float32 bytes, read off the cache that was really allocated. */
  readonly kvBytesPerToken: number;
  readonly flopsPerToken: number;
  /** On the text that learning rates are chosen by. */
  readonly validation: Quality;
  /** On text that nothing is chosen by, where the data has such. */
  readonly test?: Quality | undefined;
  /** Scores on tasks, where the plan asks for them. */
  readonly tasks?: TaskScores | undefined;
  /** Probes of the context, where the plan asks for them. */
  readonly probes?: readonly ContextProbes[] | undefined;
  /** What matrices were multiplied in; float32 if not said. */
  readonly precision?: Precision | undefined;
  /** What trained it; the CPU if not said. */
  readonly device?: string | undefined;
  /** Thinned (see `thinCurve`). */
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** Text that the model wrote. */
  readonly sample?: string | undefined;
  /** Versions of what the numbers depend on, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly dataset: {
    readonly source: string;
    readonly vocab: number;
    readonly train: TextSize;
    readonly validation: TextSize;
    readonly test?: TextSize | undefined;
    /** A hash of tokenizer and tokens, where the text was prepared. */
    readonly identity?: string | undefined;
  };
}

/** What is reported of a run: the text that nothing was chosen by, where there is such. */
export function reported({ test, validation }: Pick<Result, "test" | "validation">): Quality {
  return test ?? validation;
}

/** The name of the text that all of these are reported on. */
export function reportedText(results: readonly Pick<Result, "test">[]): "test" | "validation" {
  return results.every(({ test }) => test) ? "test" : "validation";
}

const count = z.int().min(0);
const amount = z.number().min(0);
const measured = z.number().or(z.null().transform(() => Number.NaN)); // JSON writes NaN and infinities as null
const quality = z.object({ loss: measured, perplexity: measured, bitsPerByte: measured, wordPerplexity: measured });
const text = z.object({ tokens: count, documents: count, bytes: count, words: count });

/** Checks and reads a result from JSON; the model is resolved by `modelConfig`. */
export const resultSchema: z.ZodType<Result> = z.object({
  key: z.string().min(1),
  name: z.string().min(1),
  model: z.looseObject({}).transform((found, context): ModelConfig => {
    try {
      return modelConfig(found as unknown as ModelOptions);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message, input: found });
      return z.NEVER;
    }
  }),
  seed: z.int(),
  learningRate: z.number().positive(),
  purpose: z.literal("tuning").optional(),
  steps: count,
  tokens: count,
  parameters: z.object({ total: count, nonEmbedding: count }),
  kvBytesPerToken: z.number().positive(),
  flopsPerToken: amount,
  validation: quality,
  test: quality.optional(),
  tasks: taskScoresSchema.optional(),
  probes: probesSchema.optional(),
  precision: z.enum(precisionNames).optional(),
  device: z.string().optional(),
  curve: z.array(z.object({ step: count, loss: measured, validation: measured.optional() })),
  seconds: amount,
  tokensPerSecond: measured,
  sample: z.string().optional(),
  versions: z.record(z.string(), z.string()),
  dataset: z.object({
    source: z.string(),
    vocab: count,
    train: text,
    validation: text,
    test: text.optional(),
    identity: z.string().optional(),
  }),
});

/**
 * The results in the file at `path`, in order; none if there is no file. A last line cut short by a crash is left out
 * and `onTorn` told.
 * @throws InputError naming the first other line that is not a result.
 */
export async function readResults(path: string, onTorn?: (message: string) => void): Promise<Result[]> {
  const { lines, torn } = await readJsonLines(path);
  if (torn) onTorn?.(`${path}, line ${torn.number} is cut short and left out; its run will have to be done again`);
  return lines.map((line) => {
    const { number, text, value } = line;
    const where = `${path}, line ${number}`;
    if (value === undefined) {
      throw new InputError(
        `results: ${where} is not JSON; found "${text.slice(0, 40)}", expected a result on every line`,
      );
    }
    return checked(resultSchema, isObject(value) ? checkedRow(path, line) : value, `results: ${where} is not a result`);
  });
}

/** Results as the lines of a file, each with its checksum. */
export function resultLines(results: readonly Result[]): string {
  return jsonLines(results.map(withCheck));
}

/**
 * Adds one line to the file at `path` and waits until it is on the disk. A line that an earlier crash cut short is
 * removed first; if writing fails, the file is left as it was.
 * @throws InputError if the file cannot be written.
 */
export async function appendResult(path: string, result: Result): Promise<void> {
  await appendJsonLine(path, withCheck(result), { sync: true });
}
