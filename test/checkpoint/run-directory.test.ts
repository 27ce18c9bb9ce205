// Run directories: what was saved comes back, and what does not belong is refused by name.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { encodeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/error.ts";
import { initialize, parameters } from "../../src/model/parameters.ts";
import { Random } from "../../src/tensor/random.ts";
import { type Tensors, tensor, zeros } from "../../src/tensor/tensor.ts";
import { scratch } from "../files/scratch.ts";
import { tinyConfig } from "../model/tiny.ts";

const model = tinyConfig([0, 0, 2, 2], "GQA");
const config = { name: "tiny", model, recipe: { steps: 10 }, data: { source: "text", seed: 1 } };
const tokenizer = { type: "bytes", vocab: ["a", "é"] };
const weights = initialize(model, new Random(1));
const moments = Object.fromEntries(
  parameters(model).flatMap(({ name, shape }) =>
    ["m", "v"].map((m) => [`optimizer.${m}.${name}`, zeros("float32", shape)]),
  ),
);
const begin = () => RunDirectory.create(join(scratch(), "runs", "tiny"), config, tokenizer);
const without = (tensors: Tensors, name: string) =>
  Object.fromEntries(Object.entries(tensors).filter(([other]) => other !== name));

/** A run whose model file is someone else's: safetensors without a checksum. */
async function foreign(tensors: Tensors): Promise<RunDirectory> {
  const run = await begin();
  writeFileSync(join(run.path, "model.safetensors"), Buffer.concat(encodeSafetensors(tensors)));
  return run;
}

describe("begin and open", () => {
  test("config and tokenizer come back, with the model resolved", async () => {
    const run = await begin();
    const again = await RunDirectory.open(run.path);
    expect(run.config).toEqual(config);
    expect(again.config).toEqual(config);
    expect(again.tokenizer).toEqual(tokenizer);
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    const written = { format: 1, ...config, tokenizer: digest, checksum: digest };
    expect(JSON.parse(readFileSync(join(run.path, "config.json"), "utf8"))).toEqual(written);
    expect(await again.metrics()).toEqual([]);
    expect(await again.loadCheckpoint()).toBeUndefined();
    await expect(again.loadModel()).rejects.toThrow(/has no weights yet/);
  });

  test("a run is never begun over another", async () => {
    const run = await begin();
    const before = readFileSync(join(run.path, "config.json"), "utf8");
    const second = RunDirectory.create(run.path, { ...config, name: "other" }, {});
    await expect(second).rejects.toThrow(InputError);
    await expect(second).rejects.toThrow(/--resume/);
    expect(readFileSync(join(run.path, "config.json"), "utf8")).toBe(before);
  });

  test("wrong models and places are refused before anything is written", async () => {
    const directory = scratch();
    const wrong = { ...config, model: { ...model, kvHeads: 3 } };
    await expect(RunDirectory.create(join(directory, "a"), wrong, {})).rejects.toThrow(InputError);
    writeFileSync(join(directory, "file"), "");
    await expect(RunDirectory.create(join(directory, "file"), config, {})).rejects.toThrow(InputError);
    await expect(RunDirectory.create(join(directory, "file", "a"), config, {})).rejects.toThrow(InputError);
    await expect(RunDirectory.open(directory)).rejects.toThrow(/no run here/);
    expect(readdirSync(directory)).toEqual(["file"]);
  });

  test.each([
    ["{", /config\.json: not JSON/],
    ["[]", /config\.json: must be a JSON object/],
    ['{"format":2}', /config\.json: format must be 1, found 2/],
    ['{"format":1}', /config\.json: name must be a string/],
    ['{"format":1,"name":"a","model":null}', /config\.json: model must be an object/],
    ['{"format":1,"name":"a","model":{}}', /config\.json: model: /],
    ['{"format":1,"name":"a","model":{"layers":"4"}}', /config\.json: model: /],
  ])("a damaged config is named: %s", async (text, message) => {
    const run = await begin();
    writeFileSync(join(run.path, "config.json"), text);
    const error = await RunDirectory.open(run.path).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });

  test("a missing or damaged tokenizer is named", async () => {
    const run = await begin();
    writeFileSync(join(run.path, "tokenizer.json"), "{");
    await expect(RunDirectory.open(run.path)).rejects.toThrow(/tokenizer\.json: not JSON/);
    rmSync(join(run.path, "tokenizer.json"));
    await expect(RunDirectory.open(run.path)).rejects.toThrow(/cannot read .*tokenizer\.json/);
  });
});

describe("checkpoint", () => {
  test("tensors come back bit for bit, state as text", async () => {
    const run = await begin();
    const tensors = { ...weights, ...moments };
    await run.saveCheckpoint(tensors, { step: 7, position: 2 ** 40 + 1, rate: 0.1 + 0.2, seed: "x" });
    const checkpoint = await (await RunDirectory.open(run.path)).loadCheckpoint();
    expect(checkpoint?.tensors).toEqual(tensors);
    const { step, position, rate, seed } = checkpoint!.state;
    expect([Number(step), Number(position), Number(rate), seed]).toEqual([7, 2 ** 40 + 1, 0.1 + 0.2, "x"]);
    expect(Object.keys(checkpoint!.state)).toHaveLength(4); // the checksum is not state
  });

  test("the last one counts, and nothing else stays", async () => {
    const run = await begin();
    for (const step of [1, 2, 3]) await run.saveCheckpoint(weights, { step });
    expect(Number((await run.loadCheckpoint())?.state.step)).toBe(3);
    expect(readdirSync(run.path).sort()).toEqual(["checkpoint.safetensors", "config.json", "tokenizer.json"]);
  });

  test("a flipped bit and a lost tail are found, by whoever reads", async () => {
    const run = await begin();
    await run.saveCheckpoint({ ...weights, ...moments }, { step: 1 });
    const path = join(run.path, "checkpoint.safetensors");
    const whole = readFileSync(path);
    const random = new Random(2);
    const headerEnd = 8 + Number(whole.readBigUInt64LE());
    for (let i = 0; i < 60; i++) {
      const damaged = Buffer.from(whole);
      damaged[headerEnd + random.below(whole.length - headerEnd)]! ^= 1 << random.below(8);
      writeFileSync(path, damaged);
      await expect(run.loadCheckpoint()).rejects.toThrow(/checkpoint\.safetensors: the checksum says/);
      await expect(run.loadModel()).rejects.toThrow(InputError);
    }
    writeFileSync(path, whole.subarray(0, random.below(whole.length)));
    await expect(run.loadCheckpoint()).rejects.toThrow(InputError);
  });
});

describe("what was changed since", () => {
  /** A file of a run with some text in it replaced. */
  const change = (run: RunDirectory, name: string, from: string | RegExp, to: string) => {
    const path = join(run.path, name);
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(from);
    writeFileSync(path, text.replace(from, to));
  };
  const begunAndSaved = async () => {
    const texts = { eos_token: "</s>", end_token_ids: [2] };
    const run = await RunDirectory.create(join(scratch(), "tiny"), config, tokenizer, { texts });
    await run.saveCheckpoint({ ...weights, ...moments }, { step: 1 });
    return run;
  };

  test.each([
    ['"normEpsilon": 0.00001', '"normEpsilon": 0.0001', /was made with model\.normEpsilon 0\.00001, .* has 0\.0001/],
    ['"ropeTheta": 10000', '"ropeTheta": 500', /model\.ropeTheta 10000, .* has 500/],
    ['"steps": 10', '"steps": 11', /recipe\.steps 10, .* has 11/],
    ['"seed": 1', '"seed": 2', /data\.seed 1, .* has 2/],
    ['"name": "tiny"', '"name": "tinz"', /name "tiny", .* has "tinz"/],
    [/,\s*"seed": 1/, "", /data\.seed 1, .* has nothing/],
  ])("a config is refused by name, with both values: %s", async (from, to, message) => {
    const run = await begunAndSaved();
    change(run, "config.json", from, to);
    await expect(RunDirectory.open(run.path)).rejects.toThrow(message);
    change(run, "config.json", /,\s*"checksum": "\w+"/, ""); // as from before: weights know all the same
    const again = await RunDirectory.open(run.path);
    await expect(again.checkCheckpoint()).rejects.toThrow(message);
    await expect(again.loadCheckpoint()).rejects.toThrow(message);
    await expect(again.loadModel()).rejects.toThrow(message);
  });

  test("before the first checkpoint a config is refused all the same", async () => {
    const run = await begin();
    change(run, "config.json", '"steps": 10', '"steps": 11');
    await expect(RunDirectory.open(run.path)).rejects.toThrow(/config\.json: is not as it was written/);
  });

  test("a tokenizer is refused, by the config and by the weights", async () => {
    const run = await begunAndSaved();
    change(run, "tokenizer.json", '"a"', '"b"');
    await expect(RunDirectory.open(run.path)).rejects.toThrow(/tokenizer\.json: is not the tokenizer that the run was/);
    const other = await RunDirectory.create(join(scratch(), "other"), config, { type: "bytes", vocab: ["b", "é"] });
    writeFileSync(join(other.path, "checkpoint.safetensors"), readFileSync(join(run.path, "checkpoint.safetensors")));
    await expect(other.loadModel()).rejects.toThrow(
      /is not the tokenizer that .*checkpoint\.safetensors was made with/,
    );
  });

  test("every flipped bit of config, tokenizer and metrics is found by who reads them", async () => {
    const run = await begunAndSaved();
    for (const step of [1, 2]) await run.appendMetrics({ step, loss: 1 / step, gradNorm: null });
    const random = new Random(3);
    for (const [name, read] of [
      ["config.json", () => RunDirectory.open(run.path)],
      ["tokenizer.json", () => RunDirectory.open(run.path)],
      ["tokenizer_config.json", () => RunDirectory.open(run.path)],
      ["metrics.jsonl", () => run.metrics()],
    ] as const) {
      const path = join(run.path, name);
      const whole = readFileSync(path);
      const bits = 8 * whole.length;
      const picked =
        bits < 3000
          ? Array.from({ length: bits }, (_, i) => i)
          : Array.from({ length: 1500 }, () => random.below(bits));
      for (const bit of picked) {
        const damaged = Buffer.from(whole);
        damaged[bit >> 3]! ^= 1 << (bit & 7);
        writeFileSync(path, damaged);
        const found = await read().catch((error) => error);
        expect(
          found,
          `${name}, bit ${bit}: ${JSON.stringify(damaged.toString("latin1").slice(bit / 8 - 20, bit / 8 + 20))}`,
        ).toBeInstanceOf(InputError);
      }
      writeFileSync(path, whole);
      await read();
    }
  });

  test("a run from before opens, and its weights vouch for nothing", async () => {
    const run = await begin();
    change(run, "config.json", /,\s*"tokenizer": "\w+",\s*"checksum": "\w+"/, "");
    expect(await run.checkCheckpoint()).toBeUndefined();
    writeFileSync(join(run.path, "model.safetensors"), Buffer.concat(encodeSafetensors(weights)));
    const again = await RunDirectory.open(run.path);
    expect(await again.checkCheckpoint()).toBe(false);
    await again.loadModel();
    await again.saveModel(weights);
    expect(await again.checkCheckpoint()).toBe(true);
  });
});

describe("model", () => {
  test("weights come from the model file, before that from the checkpoint", async () => {
    const run = await begin();
    await run.saveCheckpoint({ ...weights, ...moments }, { step: 1 });
    expect(await run.loadModel()).toEqual({ tensors: weights, ignored: [] });
    const final = initialize(model, new Random(2));
    await run.saveModel(final);
    expect(await run.loadModel()).toEqual({ tensors: final, ignored: [] });
    const path = join(run.path, "model.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    await expect(run.loadModel()).rejects.toThrow(/model\.safetensors: the checksum says/);
  });

  test("a borrower's keys and values are left out and named", async () => {
    const kv = tensor("float32", [1], Float32Array.of(1));
    const redundant = ["layers.1.attn.k", "layers.1.attn.v", "layers.3.attn.kv_norm", "layers.3.attn.k.bias"];
    const run = await foreign({ ...weights, ...Object.fromEntries(redundant.map((name) => [name, kv])) });
    const loaded = await run.loadModel();
    expect(loaded.tensors).toEqual(weights);
    expect([...loaded.ignored].sort()).toEqual([...redundant].sort());
  });

  test("without redundant tensors, and in half precision", async () => {
    const halves = Object.entries(weights).map(([name, { shape, data }]) => {
      const bits = new Uint32Array((data as Float32Array).slice().buffer);
      return [name, shape, Uint16Array.from(bits, (word) => word >>> 16)] as const; // BF16, cut off
    });
    let end = 0;
    const header = JSON.stringify(
      Object.fromEntries(
        halves.map(([name, shape, data]) => {
          const begin = end;
          end += data.byteLength;
          return [name, { dtype: "BF16", shape, data_offsets: [begin, end] }];
        }),
      ),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const run = await begin();
    const parts = [length, Buffer.from(header), ...halves.map(([, , data]) => new Uint8Array(data.buffer))];
    writeFileSync(join(run.path, "model.safetensors"), Buffer.concat(parts));
    const { tensors } = await run.loadModel();
    for (const [name, { data }] of Object.entries(weights)) {
      for (const [i, value] of (data as Float32Array).entries()) {
        expect(Math.abs((tensors[name]?.data[i] as number) - value)).toBeLessThanOrEqual(Math.abs(value) / 128);
      }
    }
  });

  test("what is missing, extra, misshapen or of another type is named", async () => {
    const refusal = async (tensors: Tensors) => (await foreign(tensors)).loadModel();
    const extra = zeros("float32", [1]);
    await expect(refusal(without(weights, "layers.2.attn.k"))).rejects.toThrow(/needs "layers\.2\.attn\.k"/);
    await expect(refusal({})).rejects.toThrow(/"embed".* and \d+ more/);
    for (const name of [
      "layers.4.attn.k",
      "layers.0.attn.x",
      "layers.1.attn.k.x",
      "layers.01.attn.k",
      "layers.2.attn.k.bias",
      "head",
    ]) {
      await expect(refusal({ ...weights, [name]: extra })).rejects.toThrow(`has no "${name}"`);
    }
    const wrong = { ...weights, norm: zeros("float32", [9]) };
    await expect(refusal(wrong)).rejects.toThrow(/norm must be float32 \[8\], found float32 \[9\]/);
    await expect(refusal({ ...weights, norm: zeros("int32", [8]) })).rejects.toThrow(/found int32 \[8\]/);
    await expect(refusal({ ...weights, norm: extra })).rejects.toThrow(InputError);
  });
});

test("metrics are kept, and forgotten after a step", async () => {
  const run = await begin();
  for (const step of [1, 2, 3]) await run.appendMetrics({ step, loss: 1 / step });
  await run.truncateMetrics(2);
  expect(await run.metrics()).toEqual([
    { step: 1, loss: 1 },
    { step: 2, loss: 0.5 },
  ]);
});

test("a lock keeps others out and takes away what the dead left", async () => {
  const run = await begin();
  const host = readdirSync(run.path).length; // nothing but config and tokenizer yet
  const lock = run.lock();
  expect(() => run.lock()).toThrow(InputError);
  const mark = readdirSync(run.path)
    .find((name) => name.startsWith("lock."))!
    .slice(5)
    .split("-")[2];
  lock[Symbol.dispose]();
  writeFileSync(join(run.path, `.checkpoint.safetensors.4194999-1-${mark}.3.tmp`), "half");
  run.lock()[Symbol.dispose]();
  expect(readdirSync(run.path)).toHaveLength(host);
});
