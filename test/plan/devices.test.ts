// What devices hold: together the whole model where nothing is there twice, and what is there twice by name.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelConfig } from "../../src/model/config.ts";
import { kvBytesPerToken } from "../../src/model/cost.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { parameters } from "../../src/model/parameters.ts";
import { group, owners, share } from "../../src/model/sharing.ts";
import { type StageDevice, stageDevices } from "../../src/plan/devices.ts";
import { splitGroups } from "../../src/plan/pipeline.ts";
import { tensorSplit } from "../../src/plan/tensor-parallel.ts";
import { weightBytes } from "../../src/plan/weight-bytes.ts";
import { sizeOf } from "../../src/tensor/tensor.ts";
import { models, requests } from "./request.ts";

const sum = (devices: readonly StageDevice[], of: (device: StageDevice) => number) =>
  devices.reduce((total, device) => total + of(device), 0);

const layouts = models.chain((model) => requests(model).map((layout) => ({ model, layout })));

describe("stages of one device each", () => {
  test("hold the whole model's weights together, and a tied table twice where it is not rounded", () => {
    fc.assert(
      fc.property(layouts, ({ model, layout }) => {
        const devices = stageDevices(model, { ...layout, tensor: tensorSplit(model, 1) });
        const { weights, cuts } = layout;
        const bytes = { float32: 4, float16: 2, int8: 0, int4: 0, w8a8: 0 }[weights];
        const twice = model.tiedEmbeddings && cuts.length > 0 ? bytes * model.vocab * model.width : 0;
        expect(sum(devices, (device) => device.weightBytes)).toBe(weightBytes(model, weights) + twice);
      }),
    );
  });

  test("hold the whole cache together where no group is split, and a copy for each stage that reads another's", () => {
    fc.assert(
      fc.property(layouts, ({ model, layout }) => {
        const { kvDtype, cuts } = layout;
        const devices = stageDevices(model, { ...layout, tensor: tensorSplit(model, 1) });
        const perOwner = kvBytesPerToken(model, kvDtype) / owners(model.sharing).length;
        const copies = splitGroups(model.sharing, cuts).reduce((count, { readers }) => count + readers.length, 0);
        expect(sum(devices, (device) => device.kvBytesPerToken)).toBe(
          perOwner * (owners(model.sharing).length + copies),
        );
      }),
    );
  });

  test("hold what their layers read, layer by layer", () => {
    fc.assert(
      fc.property(layouts, ({ model, layout }) => {
        for (const { first, last, owners: own, copies } of stageDevices(model, layout)) {
          const read = new Set(model.sharing.slice(first, last + 1));
          expect([...copies, ...own]).toEqual([...read].sort((a, b) => a - b));
          expect(own.every((owner) => group(model.sharing, owner).includes(owner) && owner >= first)).toBe(true);
        }
      }),
    );
  });
});

describe("tensor parallel", () => {
  test("devices hold the whole cache together, times the copies of KV heads", () => {
    fc.assert(
      fc.property(layouts, ({ model, layout }) => {
        const { tensor } = layout;
        const devices = stageDevices(model, { ...layout, cuts: [] });
        expect(tensor.kvCopies).toBe(Math.max(1, tensor.devices / model.kvHeads));
        expect(tensor.devices * sum(devices, (device) => device.kvBytesPerToken)).toBe(
          tensor.kvCopies * kvBytesPerToken(model, layout.kvDtype),
        );
      }),
    );
  });

  test("devices hold the whole weights together, with norms, and projections of copied KV heads, on each", () => {
    fc.assert(
      fc.property(layouts, ({ model, layout }) => {
        const { tensor } = layout;
        const devices = stageDevices(model, { ...layout, weights: "float32", cuts: [] });
        const held = parameters(model).map(({ name, shape, role }) => {
          if (role === "norm") return tensor.devices * sizeOf(shape);
          return (/\.[kv](\.bias)?$/.test(name) ? tensor.kvCopies : 1) * sizeOf(shape);
        });
        const all = held.reduce((total, size) => total + size, 0);
        expect(tensor.devices * sum(devices, (device) => device.weightBytes)).toBe(4 * all);
      }),
    );
  });

  test("splits the paper's models as it must", () => {
    const model = namedModel("H128-GQA4-CLA2", scales["1b"]);
    expect(tensorSplit(model, 2)).toEqual({ devices: 2, heads: 8, kvHeads: 2, kvCopies: 1 });
    expect(tensorSplit(model, 8)).toEqual({ devices: 8, heads: 2, kvHeads: 1, kvCopies: 2 });
    const halved = stageDevices(model, {
      weights: "float16",
      kvDtype: "float16",
      tensor: tensorSplit(model, 2),
      cuts: [],
    });
    expect(halved[0]?.kvBytesPerToken).toBe(20480 / 2);
  });

  test("says what would do where it cannot split", () => {
    const model = namedModel("H128-MQA", scales["1b"]);
    expect(() => tensorSplit(model, 3)).toThrow(
      "tensor parallel: 16 query heads do not split over 3 devices; use 1, 2, 4, 8, 16",
    );
    const sizes = { layers: 2, width: 8, heads: 12, headDim: 2, vocab: 9 };
    expect(() => tensorSplit(modelConfig({ ...sizes, kvHeads: 4, mlpWidth: 12 }), 6)).toThrow(
      "4 KV heads neither split over 6 devices nor repeat evenly on them; use 1, 2, 4, 12",
    );
    expect(() => tensorSplit(modelConfig({ ...sizes, mlpWidth: 10 }), 4)).toThrow(
      "an MLP width of 10 does not split over 4 devices; use 1, 2",
    );
  });
});

test("a stage that only borrows keeps its owner's keys and values", () => {
  const model = namedModel("H64-MQA", { layers: 6, width: 128, mlpWidth: 64, vocab: 100, sharing: share(6, 6) });
  const shared = modelConfig({ ...model, sharing: share(6, 6) });
  const layout = { weights: "float16", kvDtype: "float16", tensor: tensorSplit(shared, 1), cuts: [2, 4] } as const;
  expect(stageDevices(shared, layout).map(({ owners: own, copies }) => [own, copies])).toEqual([
    [[0], []],
    [[], [0]],
    [[], [0]],
  ]);
});
