// What a study of conversion asks: which teacher, converted to what and how, how much uptraining, on what text. Data: the
// preset below, or a JSON file like it.

import { existsSync } from "node:fs";
import { z } from "zod";
import { inits } from "../../convert/init.ts";
import { InputError } from "../../error.ts";
import { readWholeText } from "../../files/regular-file.ts";
import type { ModelConfig } from "../../model/config.ts";
import { type Family, namedModel, parseSharing } from "../../model/name.ts";
import { checked } from "../../options.ts";

const size = z.int().min(1);

const phase = z.strictObject({ steps: size, learningRate: z.number().positive() });

const schema = z.strictObject({
  /** What makes a plan one of conversion. */
  kind: z.literal("conversion"),
  name: z.string().regex(/^[\w.-]+$/),
  title: z.string(),
  data: z.strictObject({
    source: z.string(),
    field: z.string().optional(),
    vocab: size.min(257),
    validationFraction: z.number().gt(0).lt(1).default(0.05),
  }),
  family: z.strictObject({ layers: size, width: size, mlpWidth: size }),
  context: size,
  batch: size,
  seed: z.int().min(0).default(1),
  /** The model that is converted, trained from scratch. */
  teacher: phase.extend({ model: z.string() }),
  /** What every conversion is trained for, by the learning rate that suits weights which are no longer random. */
  uptrain: phase,
  /** How much of the loss of distilled variants is to agree with the teacher. */
  distill: z.number().min(0).max(1).default(0.5),
  /** Sharings as the command line writes them, or "search" at the KV bytes of the first of the others. */
  sharings: z.array(z.string()).min(1),
  inits: z.array(z.enum(inits)).min(1),
  /** Whether models of each given sharing are trained from scratch, on as many tokens as teacher and uptraining take. */
  scratch: z.boolean().default(true),
});

/** A study of conversion. */
export type ConversionPlan = z.output<typeof schema>;

/** What the study begins with on a fresh machine: a small teacher, in several minutes on two cores. */
export const conversionPreset: z.input<typeof schema> = {
  kind: "conversion",
  name: "convert",
  title: "A trained model made to share its KV cache: what it costs, and what training gives back",
  data: { source: "sotu", vocab: 2048 },
  family: { layers: 6, width: 128, mlpWidth: 352 },
  context: 128,
  batch: 8,
  teacher: { model: "H32-GQA2", steps: 600, learningRate: 6e-3 },
  uptrain: { steps: 150, learningRate: 2e-3 },
  sharings: ["2", "search"],
  inits: ["owner", "mean", "fit"],
};

/** The plan of the preset's name or of a JSON file; undefined for one that is no study of conversion. */
export async function loadConversionPlan(nameOrPath: string): Promise<ConversionPlan | undefined> {
  if (nameOrPath === conversionPreset.name) return conversionPlan(conversionPreset);
  if (!nameOrPath.endsWith(".json") || !existsSync(nameOrPath)) return undefined;
  const text = readWholeText(nameOrPath);
  let json: { kind?: unknown } | undefined;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined; // told by who reads other plans
  }
  return json?.kind === "conversion" ? conversionPlan(json) : undefined;
}

/** Checks a plan. @throws InputError naming the first field that is wrong. */
export function conversionPlan(input: unknown): ConversionPlan {
  const plan = checked(schema, input, "conversion plan");
  const given = plan.sharings.filter((sharing) => sharing !== "search");
  if (given.length === 0) {
    throw new InputError(`conversion plan: sharings: "search" needs another sharing, whose KV bytes it keeps to`);
  }
  named("teacher.model", () => teacherModel(plan, plan.data.vocab));
  for (const [i, sharing] of plan.sharings.entries()) {
    if (sharing !== "search") named(`sharings.${i}`, () => parseSharing(sharing, plan.family.layers));
  }
  return plan;
}

/** What `work` comes to; where it is a mistake, with the key that it is about. */
function named<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw InputError.at(place, error.message, { shown: `conversion plan: ${place}`, cause: error });
  }
}

/** The config of a plan's teacher, for a vocabulary. */
export function teacherModel({ family, context, teacher }: ConversionPlan, vocab: number): ModelConfig {
  return namedModel(teacher.model, { ...family, vocab, context } satisfies Family);
}
