// Names as the paper writes them, to models and back.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { modelConfig } from "../../src/model/config.ts";
import { modelName } from "../../src/model/model-name.ts";
import { depthFamily, type Family, namedModel, parseSharing, scales } from "../../src/model/name.ts";
import { allSharings, patterns, share, sharingName } from "../../src/model/sharing.ts";

const small: Family = { layers: 6, width: 96, mlpWidth: 256, vocab: 100 };

describe("names to models", () => {
  test("H128-MQA-CLA2 at 1B", () => {
    expect(namedModel("H128-MQA-CLA2", scales["1b"])).toMatchObject({
      layers: 20,
      width: 2048,
      heads: 16,
      kvHeads: 1,
      headDim: 128,
      mlpWidth: 5472,
      vocab: 50304,
      context: 2048,
      initStd: 0.01275,
      sharing: share(20, 2),
    });
  });

  test.each([
    ["H512-MQA-CLA2", 4],
    ["H256-MQA-CLA2", 8],
    ["H64-MQA", 32],
    ["H32-MQA", 64],
    ["H46-MQA", 45],
    ["H90-MQA-CLA2", 22],
  ])("%s at 1B has %s query heads", (name, heads) => {
    expect(namedModel(name, scales["1b"]).heads).toBe(heads);
  });

  test.each([
    ["H128-MHA", 24],
    ["H64-MQA", 48],
    ["H32-MQA", 96],
  ])("%s at 3B has %s query heads", (name, heads) => {
    expect(namedModel(name, scales["3b"])).toMatchObject({ layers: 32, width: 3072, mlpWidth: 8192, heads });
  });

  test("patterns in any case, and sharings spelled out", () => {
    expect(namedModel("H16-MQA-CLA2-keepends", small).sharing).toEqual([0, 1, 1, 3, 3, 5]);
    expect(namedModel("H16-GQA2-CLA(0,0,2,0,2,5)", small)).toMatchObject({ kvHeads: 2, sharing: [0, 0, 2, 0, 2, 5] });
  });
});

test.each([
  ["MQA", 'model name: found "MQA"; expected H<head dim>-<MHA|GQA<KV heads>|MQA>'],
  ["H16-MQA-CLA", "expected H<head dim>"],
  ["H16-GQA-CLA2", "expected H<head dim>"],
  [
    "H16-MQA-CLA2-Middle",
    'sharing pattern: found "Middle"; expected one of even, KeepEnds, DenseFront, DenseBack, Tail',
  ],
  ["H20-MQA", "head dim 20 does not divide width 96; use 16, 24, 32, 48, 96"],
  ["H0-MQA", "head dim 0 does not divide width 96"],
  ["H16-GQA4", "6 heads cannot share 4 KV heads evenly; use 1, 2, 3, 6"],
  ["H3-MQA", "headDim must be even for rotary embedding, found 3; use 4"],
  ["H16-MQA-CLA7", "sharing factor: must be a whole number from 1 to the 6 layers, found 7"],
  ["H16-MQA-CLA(0,0)", "sharing: 6 layers need 6 entries, found 2"],
  ["H16-MQA-CLA(,,,,,)", "model name: found"],
])("%s is refused", (name, message) => {
  expect(() => namedModel(name, small)).toThrow(InputError);
  expect(() => namedModel(name, small)).toThrow(message);
});

describe("what is refused before anything is built of it", () => {
  const sizes = { layers: 2, width: 64, mlpWidth: 128, vocab: 300 };

  test.each([
    ["h64-mqa-cla2", "H64-MQA-CLA2"],
    ["H64-gqa2", "H64-GQA2"],
    ["h16-mha-cla2-keepends", "H16-MHA-CLA2-KeepEnds"],
  ])("a name in other cases, with the right one: %s", (name, right) => {
    expect(() => namedModel(name, sizes)).toThrow(`did you mean ${right}?`);
  });

  test.each([
    ["layers", { layers: 1e9 }],
    ["heads", { heads: 1e9 }],
    ["width", { width: 1e12 }],
    ["vocab", { vocab: 1e9 }],
    ["context", { context: 1e12 }],
    ["mlpWidth", { mlpWidth: 1e12 }],
  ])("sizes beyond any model: %s", (name, change) => {
    const family = { ...sizes, ...change };
    expect(() => namedModel("H64-MQA", family)).toThrow(InputError);
    expect(() => modelConfig({ heads: 1, headDim: 64, ...family })).toThrow(new RegExp(`model: ${name}: .*<=`));
  });

  test("head dims and KV heads beyond any model", () => {
    expect(() => namedModel("H64-GQA999999999", sizes)).toThrow(InputError);
    expect(() => modelConfig({ ...sizes, heads: 1, headDim: 1e9 })).toThrow(/headDim/);
    expect(() => modelConfig({ ...sizes, heads: 16384, kvHeads: 16383, headDim: 2 })).toThrow(/cannot share 16383/);
  });
});

describe("there and back", () => {
  test("every model of the paper's Table 1 keeps its name", () => {
    const kinds = ["MHA", "GQA4", "GQA2", "MQA"];
    const sharings = ["", "-CLA2", "-CLA3", "-CLA4", "-CLA2-KeepEnds", "-CLA2-DenseFront", "-CLA2-DenseBack"];
    for (const kind of kinds) {
      for (const sharing of sharings) {
        const name = `H128-${kind}${sharing}`;
        expect(modelName(namedModel(name, scales["1b"]))).toBe(name);
      }
    }
  });

  test("a model's name makes the same model", () => {
    const models = fc
      .record({
        sharing: fc.integer({ min: 1, max: 6 }).chain((layers) => fc.constantFrom(...allSharings(layers))),
        headDim: fc.constantFrom(8, 16, 32),
        groups: fc.constantFrom(1, 2, 3, 4, 6, 12),
      })
      .filter(({ headDim, groups }) => (96 / headDim) % groups === 0);
    fc.assert(
      fc.property(models, ({ sharing, headDim, groups }) => {
        const family = { ...small, layers: sharing.length };
        const model = { ...namedModel(`H${headDim}-GQA${groups}`, family), sharing };
        expect(namedModel(modelName(model), family)).toEqual(model);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test("a pattern's name makes the same pattern", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 40 }), fc.nat(), fc.constantFrom(...patterns), (layers, n, pattern) => {
        const factor = 2 + (n % Math.max(1, Math.floor(layers / 2) - 1));
        const sharing = share(layers, factor, pattern);
        const name = sharingName(sharing);
        if (name === "") return;
        const family = { ...small, layers };
        expect(namedModel(`H16-MQA-${name}`, family).sharing).toEqual(sharing);
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});

describe("sharings as the command line writes them", () => {
  test.each([
    ["2", [0, 0, 2, 2, 4, 4]],
    ["CLA3", [0, 0, 0, 3, 3, 3]],
    ["2-KeepEnds", [0, 1, 1, 3, 3, 5]],
    ["CLA2-tail", [0, 1, 2, 2, 2, 2]],
    ["1", [0, 1, 2, 3, 4, 5]],
    ["0,0,2,0,2,5", [0, 0, 2, 0, 2, 5]],
  ])("%s", (text, sharing) => {
    expect(parseSharing(text, 6)).toEqual(sharing);
  });

  test.each([
    ["two", 'sharing: found "two"; expected a factor (2), a pattern (2-KeepEnds) or a list (0,0,2,2)'],
    ["", 'sharing: found ""'],
    ["2.5", 'sharing: found "2.5"'],
    ["0", "sharing factor: must be a whole number from 1 to the 6 layers, found 0"],
    ["0,1", "sharing: 6 layers need 6 entries, found 2"],
    ["0,0,3,3,3,3", "sharing: layer 2 borrows from 3"],
  ])("%j is refused", (text, message) => {
    expect(() => parseSharing(text, 6)).toThrow(InputError);
    expect(() => parseSharing(text, 6)).toThrow(message);
  });
});

describe("the dial", () => {
  test("width and MLP width follow depth", () => {
    expect(depthFamily(8, 2048, 256)).toEqual({ layers: 8, width: 256, mlpWidth: 672, vocab: 2048, context: 256 });
    expect(depthFamily(1, 2048, 256).width).toBe(64);
  });

  test.each([0, 1.5, 129, Number.NaN])("a depth of %s is refused", (depth) => {
    const message = `depth: must be a whole number of layers from 1 to 128, found ${depth}`;
    expect(() => depthFamily(depth, 2048, 256)).toThrow(new InputError(message));
  });
});
