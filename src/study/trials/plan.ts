// What a study asks: which models, trained how, on what text, with which learning rates and seeds. A plan is data: a
// preset, or a JSON file.

import { existsSync } from "node:fs";
import { z } from "zod";
import { InputError, quoted } from "../../error.ts";
import { readWholeText } from "../../files/regular-file.ts";
import type { ModelConfig } from "../../model/config.ts";
import { depthFamily, type Family, namedModel } from "../../model/name.ts";
import { type RecipeOptions, recipe, recipeSchema } from "../../train/recipe.ts";
import { evaluationFields } from "./evaluations.ts";
import { matchedNames } from "./matched.ts";
import { nearest } from "./nearest.ts";
import { planMistake, unknownKey } from "./plan-mistake.ts";
import { presets } from "./presets.ts";

const size = z.int().min(1);

const schema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/),
  title: z.string().optional(),
  data: z.strictObject({
    source: z.string(),
    field: z.string().optional(),
    vocab: size.min(257),
    tokenizer: z.string().optional(),
    /** Parts of a raw text's documents: what learning rates are chosen by, and what is reported. Prepared text has its own. */
    validationFraction: z.number().gt(0).lt(1).default(0.05),
    testFraction: z.number().min(0).lt(1).default(0.05),
  }),
  family: z.union([
    z.strictObject({ depth: size }),
    z.strictObject({
      layers: size,
      width: size,
      mlpWidth: size,
      tiedEmbeddings: z.boolean().optional(),
      ropeTheta: z.number().positive().optional(),
      initStd: z.number().positive().optional(),
    }),
  ]),
  context: size,
  models: z.array(z.string()).min(1),
  /** Widens MLPs until all models have as many parameters as the largest; they are then named with the width. */
  match: z.literal("parameters").optional(),
  seeds: z.array(z.int().min(0)).min(1),
  /** Seeds that learning rates are chosen by and that are never reported; the reported ones' if not given. */
  tuningSeeds: z.array(z.int().min(0)).min(1).optional(),
  learningRates: z.union([
    z.array(z.number().positive()).min(1),
    z.strictObject({
      start: z.number().positive(),
      factor: z.number().gt(1).default(1.5),
      most: size.default(12),
    }),
  ]),
  recipe: z.looseObject({ steps: size }),
  /** Comparisons that are planned: the report corrects for as many. `margin` (nats): "no worse than by" is asked as well. */
  contrasts: z
    .array(z.strictObject({ model: z.string(), against: z.string(), margin: z.number().positive().optional() }))
    .default([]),
  ...evaluationFields,
  prompt: z.string().default("The state of the Union"),
});

/** A study's plan. `learningRates` is a list, or the paper's protocol: upward from `start` (see `rate-search.ts`). */
export type StudyPlan = z.output<typeof schema>;

/** A plan as it may be written: what has a default can be left out. */
export type StudyPlanInput = z.input<typeof schema>;

/**
 * Checks a plan and the names of its models; one with `match` comes back with the matched models' names.
 * @throws InputError naming the first field that is wrong.
 */
export function studyPlan(input: StudyPlanInput): StudyPlan {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw planMistake(schema, parsed.error.issues);
  const plan = parsed.data;
  checkRecipe(plan);
  for (const [i, name] of plan.models.entries()) checkModel(plan, name, `models.${i}`);
  const both = plan.tuningSeeds?.find((seed) => plan.seeds.includes(seed));
  if (both !== undefined) {
    throw new InputError(
      `study plan: seed ${both} is both in seeds and in tuningSeeds; a seed that chose a rate is not reported`,
    );
  }
  for (const { model, against } of plan.contrasts) {
    const missing = [model, against].find((name) => !plan.models.includes(name));
    if (missing === undefined) continue;
    throw new InputError(
      `study plan: contrasts name ${quoted(missing)}, which is not among models${nearest(missing, plan.models)}`,
    );
  }
  return plan.match ? matched(plan) : plan;
}

/** Throws InputError, naming the model's place, where a model of the plan cannot be. */
function checkModel(plan: StudyPlan, name: string, place: string): void {
  try {
    planModel(plan, name, plan.data.vocab);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw InputError.at(place, error.message, { shown: `study plan: ${place}`, cause: error });
  }
}

/** What a plan's recipe may say: what a run's may, but for what the plan itself says of its runs. */
const recipeKeys = Object.keys(recipeSchema.shape).filter((key) => !["learningRate", "seed"].includes(key));

/** Throws InputError where the recipe of a plan's runs is wrong. */
function checkRecipe(plan: StudyPlan): void {
  const unknown = Object.keys(plan.recipe).find((key) => !recipeKeys.includes(key));
  if (unknown !== undefined) throw unknownKey(`recipe.${unknown}`, recipeKeys);
  recipe(planRecipe(plan));
}

function matched({ match: _, ...plan }: StudyPlan): StudyPlan {
  const names = matchedNames(plan.models, planFamily(plan, plan.data.vocab));
  const nameOf = (name: string) => names.get(name) as string;
  return {
    ...plan,
    models: plan.models.map(nameOf),
    contrasts: plan.contrasts.map((contrast) => ({
      ...contrast,
      model: nameOf(contrast.model),
      against: nameOf(contrast.against),
    })),
  };
}

/** The plan of a preset's name or of a JSON file. @throws InputError with the nearest preset where it is neither. */
export async function loadPlan(nameOrPath: string): Promise<StudyPlan> {
  const preset = presets[nameOrPath];
  if (preset) return studyPlan(preset);
  if (!existsSync(nameOrPath)) {
    const names = Object.keys(presets);
    throw new InputError(
      `study: ${quoted(nameOrPath)} is no preset and no file; presets are ${names.join(", ")}${nearest(nameOrPath, names)}`,
    );
  }
  const text = readWholeText(nameOrPath);
  try {
    return studyPlan(JSON.parse(text) as StudyPlanInput);
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(`${nameOrPath}: is not JSON: ${error.message}`);
    throw error instanceof InputError ? new InputError(`${nameOrPath}: ${error.message}`, { cause: error }) : error;
  }
}

/** The config of a plan's model, for a vocabulary. */
export function planModel(plan: StudyPlan, name: string, vocab: number): ModelConfig {
  return namedModel(name, planFamily(plan, vocab));
}

function planFamily({ family, context }: StudyPlan, vocab: number): Family {
  return "depth" in family ? depthFamily(family.depth, vocab, context) : { ...family, vocab, context };
}

/** What a plan's runs have in common. */
export function planRecipe(plan: StudyPlan): RecipeOptions {
  return plan.recipe as unknown as RecipeOptions;
}
