// The studies that come with crosslayer. Sizes are what two CPU cores do in the time that the comment says.

import type { StudyPlanInput } from "./plan.ts";

const sotu = { source: "sotu", vocab: 2048 };

/** Plans by name. */
export const presets: Readonly<Record<string, StudyPlanInput>> = {
  /**
   * The paper's central comparison in under five minutes: half the cache by sharing, or by a smaller head. Seeds come
   * before models, so after a third of the time each model has a run.
   */
  demo: {
    name: "demo",
    title: "Half the KV cache: by sharing layers, or by smaller heads?",
    data: { ...sotu, validationFraction: 0.03, testFraction: 0.03 }, // scoring more would take a third of the time
    family: { depth: 4 },
    context: 256,
    models: ["H64-MQA", "H64-MQA-CLA2", "H32-MQA"],
    seeds: [1, 2, 3],
    learningRates: [6e-3],
    recipe: { steps: 220, batch: 4, validateEvery: 110, checkpointEvery: 110 },
    contrasts: [
      { model: "H64-MQA-CLA2", against: "H32-MQA" },
      { model: "H64-MQA-CLA2", against: "H64-MQA" },
    ],
    prompt: "The state of the Union",
  },
  /** The rows of the paper's Table 1 that fit a small width, at one learning rate: hours. */
  "table1-small": {
    name: "table1-small",
    title: "The paper's design space at small scale",
    data: { source: "sotu", vocab: 4096 },
    family: { layers: 8, width: 256, mlpWidth: 704 },
    context: 256,
    models: [
      "H64-MHA",
      "H64-GQA2",
      "H64-MQA",
      "H32-MQA",
      "H16-MQA",
      "H128-MQA-CLA2",
      "H64-MQA-CLA2",
      "H32-MQA-CLA2",
      "H64-GQA2-CLA2",
      "H64-MQA-CLA3",
      "H64-MQA-CLA4",
      "H64-MQA-CLA2-KeepEnds",
      "H64-MQA-CLA2-DenseFront",
      "H64-MQA-CLA2-DenseBack",
    ],
    seeds: [1],
    learningRates: [3e-3],
    recipe: { steps: 1000, batch: 8 },
  },
  /** The paper's learning-rate protocol on its central comparison, three seeds at each model's best: about two hours. */
  "lr-sweep": {
    name: "lr-sweep",
    title: "Cross-layer attention at tuned learning rates",
    data: sotu,
    family: { layers: 8, width: 128, mlpWidth: 352 },
    context: 256,
    models: ["H64-MQA", "H64-MQA-CLA2", "H32-MQA"],
    seeds: [1, 2, 3],
    learningRates: { start: 2e-3 },
    recipe: { steps: 1200, batch: 8 },
  },
};
