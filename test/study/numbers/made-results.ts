// Results as a study would find them, made by formula from names: for tests that need many, not for any claim.

import { kvBytesPerToken, parameterCount } from "../../../src/model/cost.ts";
import { depthFamily, namedModel } from "../../../src/model/name.ts";
import type { Result } from "../../../src/study/numbers/result.ts";
import { Random } from "../../../src/tensor/random.ts";

/** What differs between made results; the rest follows. */
export interface Made {
  name: string;
  loss: number;
  seed?: number;
  learningRate?: number;
  depth?: number;
  sample?: string;
}

/** One result of an eight-layer model. */
export function madeResult({ name, loss, seed = 1, learningRate = 1e-3, depth = 8, sample }: Made): Result {
  const model = namedModel(name, depthFamily(depth, 2048, 128));
  const steps = 400;
  const curve = Array.from({ length: 40 }, (_, i) => {
    const step = (i + 1) * 10;
    const value = loss + 3.5 * Math.exp(-step / 60) + 0.4 * (1 - step / steps);
    return i % 4 === 3 ? { step, loss: value, validation: value + 0.02 } : { step, loss: value };
  });
  return {
    key: `${name}/${seed}/${learningRate}`,
    name,
    model,
    seed,
    learningRate,
    steps,
    tokens: 409_600,
    parameters: parameterCount(model),
    kvBytesPerToken: kvBytesPerToken(model, "float32"),
    flopsPerToken: 1e7,
    validation: {
      loss,
      perplexity: Math.exp(loss),
      bitsPerByte: loss / Math.LN2 / 3.9,
      wordPerplexity: Math.exp(loss * 1.5),
    },
    curve,
    seconds: 75,
    tokensPerSecond: 5461,
    ...(sample === undefined ? {} : { sample }),
    versions: { crosslayer: "0.1.0", node: "20.20.2" },
    dataset: {
      source: "sotu",
      vocab: 2048,
      train: { tokens: 2_600_000, documents: 230, bytes: 10_200_000, words: 1_700_000 },
      validation: { tokens: 130_000, documents: 12, bytes: 507_000, words: 84_000 },
    },
  };
}

/** Runs of every name at every learning rate and seed; `loss` of a name is that of its best rate, noise is seeded. */
export function madeStudy(
  losses: Readonly<Record<string, number>>,
  { seeds = [1, 2, 3], rates = [1e-3], noise = 0.004 }: { seeds?: number[]; rates?: number[]; noise?: number } = {},
): Result[] {
  const random = new Random(7);
  return Object.entries(losses).flatMap(([name, loss], model) =>
    rates.flatMap((learningRate, i) =>
      seeds.map((seed) => {
        const away = rates.length === 1 ? 0 : 0.03 * (i - ((model % 2) + 1)) ** 2;
        const sample = `The people of ${name} & <their> "union"…`;
        return madeResult({
          name,
          loss: loss + away + noise * random.normal() + 0.01 * seed,
          seed,
          learningRate,
          sample,
        });
      }),
    ),
  );
}
