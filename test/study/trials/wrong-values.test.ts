// Every key of a plan and of a run's config with every kind of wrong value: it is taken, or refused in one sentence that
// names the key; nothing else is thrown, and nothing takes long.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readRunConfig } from "../../../src/checkpoint/run-config.ts";
import { InputError } from "../../../src/error.ts";
import { modelConfig } from "../../../src/model/config.ts";
import { checked } from "../../../src/options.ts";
import { conversionPlan, conversionPreset } from "../../../src/study/conversion/conversion-plan.ts";
import { planModel, studyPlan } from "../../../src/study/trials/plan.ts";
import { corpusRecordSchema } from "../../../src/text/corpus-record.ts";
import { type Recipe, recipe } from "../../../src/train/recipe.ts";
import { scratch } from "../../files/scratch.ts";

const deep = JSON.parse(`${"[".repeat(2000)}${"]".repeat(2000)}`);
const wrong: readonly unknown[] = [
  ...[null, true, false, "", "NaN", "Infinity", "-1", "x".repeat(100_000), "\u0000", "a\nb", "__proto__"],
  ...[0, -1, 0.5, -0.5, 1e9, 2 ** 31, 2 ** 53, 2 ** 64, 1e300, -1e300, 5e-324],
  ...[[], [null], [[1]], [-1], [1e300], ["NaN"], {}, { a: { b: {} } }, { length: 3 }, deep],
  JSON.parse('{"__proto__": {"x": 1}}'),
];

type Path = readonly (string | number)[];

/** Every place in a JSON value, the whole first. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, inner]) =>
      places(inner, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

/** The value with another at a place. */
function put(value: unknown, [key, ...rest]: Path, other: unknown): unknown {
  if (key === undefined) return other;
  if (Array.isArray(value)) return value.with(key as number, put(value[key as number], rest, other));
  const object = value as Record<string, unknown>;
  return { ...object, [key]: put(object[key], rest, other) };
}

/** What is wrong with how a value is refused. */
async function complaint(
  read: (value: unknown) => unknown,
  whole: unknown,
  path: Path,
  other: unknown,
): Promise<string | undefined> {
  const start = performance.now();
  try {
    await read(put(whole, path, other));
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof InputError)) return (error as Error).stack;
    if (/\n/.test(message.replaceAll("a\nb", ""))) return `more than a line: ${message}`;
    if (message.length > 1000) return `${message.length} letters: ${message.slice(0, 200)}`;
    const keys = path.filter((key) => typeof key === "string");
    const named = keys.length === 0 || keys.some((key) => message.includes(key));
    if (!named) return `does not name the key: ${message}`;
  }
  const seconds = (performance.now() - start) / 1000;
  return seconds > 5 ? `${seconds} s` : undefined;
}

const plan = {
  ...{ name: "tiny", title: "Tiny", context: 64, prompt: "The", match: "parameters" },
  data: { source: "sotu", field: "text", vocab: 300, tokenizer: "t.json", validationFraction: 0.1, testFraction: 0.1 },
  family: { layers: 2, width: 64, mlpWidth: 128, tiedEmbeddings: true, ropeTheta: 10000, initStd: 0.02 },
  ...{ models: ["H64-MQA", "H64-MQA-CLA2"], seeds: [1, 2], tuningSeeds: [3], learningRates: [1e-3] },
  recipe: {
    ...{ steps: 10, batch: 4, microBatch: 2, warmup: 0.1, floor: 0.1, recompute: false, precision: "float32" },
    ...{ saveDtype: "float32", threads: 1, checkpointEvery: 5, validateEvery: 5 },
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
  },
  contrasts: [{ model: "H64-MQA-CLA2", against: "H64-MQA", margin: 0.02 }],
  tasks: { names: ["copa"], directory: "sets", limit: 5 },
  probes: { names: ["position"], contexts: [32] },
};
const model = modelConfig({
  ...{
    layers: 4,
    width: 64,
    heads: 2,
    kvHeads: 1,
    headDim: 32,
    mlpWidth: 64,
    vocab: 300,
    context: 64,
    sharing: [0, 0, 2, 2],
  },
  ...{ ropeTheta: 1e4, ropeDim: 16, noRope: [0, 1], headNorms: "before", normEpsilon: 1e-5, initStd: 0.02 },
  ropeScaling: { type: "linear", factor: 2 },
});

const record = { source: "sotu", field: "text", vocab: 300, validationFraction: 0.1, testFraction: 0.1, tokens: 10 };

const readers: Readonly<Record<string, [read: (value: never) => unknown, whole: unknown]>> = {
  "a plan": [(value: never) => studyPlan(value), plan],
  "a plan without a match": [
    (value: never) => {
      const { models, ...rest } = studyPlan(value);
      for (const name of models) planModel({ models, ...rest }, name, 300);
    },
    { ...plan, match: undefined, learningRates: { start: 1e-3, factor: 2, most: 4 } },
  ],
  "a plan by depth": [(value: never) => studyPlan(value), { ...plan, match: undefined, family: { depth: 4 } }],
  "a plan of conversion": [
    (value: never) => conversionPlan(value),
    { ...conversionPreset, seed: 1, distill: 0.5, scratch: true },
  ],
  "a recipe": [(value: never) => recipe(value), plan.recipe],
  "a run's config": [
    async (value: never) => {
      const path = join(scratch(), "config.json");
      writeFileSync(path, JSON.stringify(value) ?? "");
      const config = await readRunConfig(path);
      recipe(config.recipe as Recipe);
      checked(corpusRecordSchema, config.data, "run: data");
    },
    { format: 1, name: "x", model, recipe: plan.recipe, data: record, tokenizer: "ab" },
  ],
};

test.each(Object.entries(readers))("%s", async (_, [read, whole]) => {
  await read(whole as never);
  const complaints: string[] = [];
  for (const path of places(whole)) {
    for (const other of wrong) {
      const found = await complaint(read as (value: unknown) => unknown, whole, path, other);
      if (found !== undefined) complaints.push(`${path.join(".")} = ${JSON.stringify(other)?.slice(0, 40)}: ${found}`);
    }
  }
  expect(complaints).toEqual([]);
});
