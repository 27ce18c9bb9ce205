// First weights are the same bits, however many threads draw them.

import { expect, it } from "vitest";
import { initialWeights } from "../../dist/train/initial-weights.js"; // threads are files of their own
import { namedModel } from "../../src/model/name.ts";
import { initialize } from "../../src/model/parameters.ts";
import { Random } from "../../src/tensor/random.ts";

const config = namedModel("H64-MQA-CLA2", { layers: 4, width: 256, mlpWidth: 704, vocab: 4096, context: 64 });

it.each([1, 2, 5])("drawn by %d threads", async (threads) => {
  const drawn = await initialWeights(config, 5, threads);
  const wanted = initialize(config, new Random(5).split("weights"));
  expect(Object.keys(drawn)).toEqual(Object.keys(wanted));
  for (const [name, { data }] of Object.entries(wanted)) {
    expect(Buffer.compare(Buffer.from(drawn[name]?.data.buffer as ArrayBuffer), Buffer.from(data.buffer)), name).toBe(
      0,
    );
  }
});
