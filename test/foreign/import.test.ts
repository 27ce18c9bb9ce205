// Importing Hugging Face folders: what is accepted in more than one form, and what is refused, by tensor and file, leaving
// nothing behind.

import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RunDirectory } from "../../src/checkpoint/run-directory.ts";
import { InputError } from "../../src/error.ts";
import { importModel } from "../../src/foreign/import-model.ts";
import { openCheckpoint } from "../../src/foreign/open-checkpoint.ts";
import { scratch } from "../files/scratch.ts";
import { type Golden, golden, type WrittenTensor, writeFolder, writeTensors } from "./golden/golden.ts";

const llama = golden("llama");
const cla = golden("hunyuan-cla");
type Tensors = Golden["tensors"];

/** A folder of a golden, changed, and where its run would be. */
function folderOf(made: Golden, change?: (tensors: Tensors) => Tensors) {
  const folder = scratch();
  writeFolder(folder, made, change);
  return { folder, out: join(folder, "run") };
}

async function imported(folder: string, out: string) {
  await using checkpoint = await openCheckpoint(folder);
  return await importModel(checkpoint, out);
}

const without = (pattern: RegExp) => (all: Tensors) => all.filter(([, name]) => !pattern.test(name));
const changed =
  (pattern: RegExp, change: (tensor: Tensors[number]) => Tensors[number]) =>
  (all: Tensors): Tensors =>
    all.map((tensor) => (pattern.test(tensor[1]) ? change(tensor) : tensor));
const shaped =
  (shape: readonly number[]) =>
  ([file, name, stored]: Tensors[number]) =>
    [file, name, stored, shape] as const;

describe("keys and values of layers that borrow", () => {
  const borrowed = /layers\.[13]\.self_attn\.[kv]_proj/;

  it.each([
    ["redundant", (all: Tensors) => all, 4],
    ["absent", without(borrowed), 0],
    ["partial", without(/layers\.1\.self_attn\.k_proj|layers\.3\.self_attn\.[kv]_proj/), 1],
  ])("load when %s, to the same run", async (_, change, ignored) => {
    const { folder, out } = folderOf(cla, change);
    const { run, notes } = await imported(folder, out);
    expect(run.config.model.sharing).toEqual([0, 0, 2, 2]);
    const said = notes.filter((note) => note.includes("Left out"));
    expect(said.length).toBe(ignored > 0 ? 1 : 0);
    if (ignored > 1) expect(said[0]).toMatch(/layers\.1\.self_attn\.k_proj\.weight and 3 more/);
    const { folder: other, out: bare } = folderOf(cla, without(borrowed));
    await imported(other, bare);
    expect(readFileSync(join(out, "model.safetensors")).equals(readFileSync(join(bare, "model.safetensors")))).toBe(
      false,
    ); // named by their folders
    expect((await run.loadModel()).tensors).toEqual((await (await RunDirectory.open(bare)).loadModel()).tensors);
  });

  it("load from a fused matrix that has rows for them, and from one that has not", async () => {
    const phi = golden("phi3");
    const config = { ...phi.config, sharing_pattern: [0, 0, 2, 2] };
    const whole = folderOf({ ...phi, config });
    const cut = folderOf({ ...phi, config }, changed(/layers\.[13]\..*qkv_proj/, shaped([32, 32])));
    const [first, second] = [await imported(whole.folder, whole.out), await imported(cut.folder, cut.out)];
    const [a, b] = [(await first.run.loadModel()).tensors, (await second.run.loadModel()).tensors];
    expect(Object.keys(a)).toEqual(Object.keys(b));
    expect(a["layers.1.attn.k"]).toBeUndefined();
    expect(a["layers.1.attn.q"]).toEqual(b["layers.1.attn.q"]); // the first rows
  });

  it("must be there in owners", async () => {
    const { folder, out } = folderOf(cla, without(/layers\.2\.self_attn\.v_proj/));
    await expect(imported(folder, out)).rejects.toThrow(/needs tensor "model\.layers\.2\.self_attn\.v_proj\.weight"/);
  });
});

describe("a folder is refused, and nothing is left behind", () => {
  const tensorMistakes: [string, (all: Tensors) => Tensors, RegExp][] = [
    [
      "a tensor is missing",
      without(/layers\.2\.self_attn\.q_proj/),
      /needs tensor "model\.layers\.2\.self_attn\.q_proj\.weight", which no file has/,
    ],
    ["many are missing", without(/mlp/), /gate_proj\.weight", tensor "[^"]*", tensor "[^"]*" and 9 more/],
    [
      "a shape is another",
      changed(/layers\.1\.mlp\.up_proj/, shaped([32, 40])),
      /model\.safetensors: tensor "model\.layers\.1\.mlp\.up_proj\.weight": must be \[40, 32\] .* found \[32, 40\]/,
    ],
    [
      "a type is none of weights",
      changed(/layers\.0\.input_layernorm/, ([file, name, , shape]) => [file, name, "I32", shape]),
      /model\.safetensors: tensor "model\.layers\.0\.input_layernorm\.weight": I32 is no type of weights/,
    ],
    [
      "a tensor is of another model",
      (all) => [...all, ["model.safetensors", "model.layers.0.self_attn.q_norm.weight", "F32", [8]]],
      /has tensor "model\.layers\.0\.self_attn\.q_norm\.weight", which a .* has not/,
    ],
  ];
  it.each(tensorMistakes)("where %s", async (_, change, message) => {
    const { folder, out } = folderOf(llama, change);
    await expect(imported(folder, out)).rejects.toThrow(InputError);
    await expect(imported(folder, out)).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  const configMistakes: [string, object, RegExp][] = [
    ["another activation", { hidden_act: "gelu" }, /config\.json: .* crosslayer has not hidden_act "gelu"/],
    [
      "quantised weights",
      { quantization_config: { quant_method: "gptq" } },
      /quantised weights \(quantization_config "gptq"\)/,
    ],
    ["another rotary embedding", { rope_parameters: { rope_type: "spiral" } }, /rope_scaling "spiral" is not known/],
    [
      "a number missing in it",
      { rope_parameters: { rope_type: "llama3" } },
      /rope_scaling: factor must be a number above 0/,
    ],
    [
      "blocks of its own",
      { model_type: "gemma2" },
      /"gemma2" can be planned for, not imported: crosslayer has not gemma's gelu/,
    ],
    ["a mixture of experts", { num_local_experts: 8 }, /a mixture of experts/],
    ["an unknown type", { model_type: "rwkv9" }, /rwkv9/],
    ["heads that do not divide", { num_key_value_heads: 3 }, /4 heads cannot share 3 KV heads/],
    ["LCKV's upward sharing", { layer_types: "0_0_3_3" }, /layer 2 reads layer 3 above it/],
  ];
  it.each(configMistakes)("where the config has %s", async (_, more, message) => {
    const { folder, out } = folderOf({ ...llama, config: { ...llama.config, ...more } });
    await expect(imported(folder, out)).rejects.toThrow(InputError);
    await expect(imported(folder, out)).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  it("where a file is cut off, or is none", async () => {
    const { folder, out } = folderOf(llama);
    const path = join(folder, "model.safetensors");
    truncateSync(path, 60_000);
    await expect(imported(folder, out)).rejects.toThrow(
      /model\.safetensors: the header speaks of \d+ bytes of data, the file has/,
    );
    truncateSync(path, 5);
    await expect(imported(folder, out)).rejects.toThrow(/model\.safetensors: 5 bytes are no safetensors file/);
    writeFileSync(path, Buffer.alloc(100, 0xff));
    await expect(imported(folder, out)).rejects.toThrow(/model\.safetensors: a header of \d+ bytes in a file of 100/);
    expect(existsSync(out)).toBe(false);
  });

  it("where a file gets shorter while it is read: the tensor is named", async () => {
    const { folder, out } = folderOf(llama);
    await using checkpoint = await openCheckpoint(folder);
    truncateSync(join(folder, "model.safetensors"), 60_000);
    await expect(importModel(checkpoint, out)).rejects.toThrow(
      /tensor ".*": .*model\.safetensors: the file ends \d+ bytes early/,
    );
    expect(existsSync(out)).toBe(false);
  });

  it("where its index is wrong", async () => {
    const sharded = golden("llama3");
    const { folder, out } = folderOf(sharded);
    const index = join(folder, "model.safetensors.index.json");
    const changedIndex = (more: object) => {
      const { weight_map: map } = JSON.parse(readFileSync(index, "utf8"));
      return { weight_map: { ...map, ...more } };
    };
    const good = readFileSync(index);
    const [first, second] = [...new Set(sharded.tensors.map(([file]) => file))] as [string, string];
    const cases: [object, RegExp][] = [
      [
        changedIndex({ "model.norm.weight": "../elsewhere.safetensors" }),
        /"model\.norm\.weight" is in "\.\.\/elsewhere\.safetensors", which is not there/,
      ],
      [changedIndex({ "model.norm.weight": 7 }), /is in number, which is not there/],
      [changedIndex({ "x.weight": first }), /has no tensor "x\.weight", which model\.safetensors\.index\.json says/],
      [{ weight_map: [] }, /must have a weight_map/],
    ];
    for (const [json, message] of cases) {
      writeFileSync(index, JSON.stringify(json));
      await expect(imported(folder, out)).rejects.toThrow(message);
    }
    writeFileSync(index, good);
    const own = (file: string) => sharded.tensors.filter(([at]) => at === file).map(([, ...tensor]) => tensor);
    writeTensors(join(folder, second), [...own(second), own(first)[0] as never]);
    await expect(imported(folder, out)).rejects.toThrow(new RegExp(`tensor ".*" is in .*${first} too; keep one`));
    expect(existsSync(out)).toBe(false);
  });

  it("where files are missing, pickled, or not what they are called", async () => {
    const empty = scratch();
    const out = join(empty, "run");
    const write = (name: string, text: string) => writeFileSync(join(empty, name), text);
    await expect(imported(join(empty, "no"), out)).rejects.toThrow(/is not there/);
    await expect(imported(empty, out)).rejects.toThrow(/has no config\.json/);
    write("config.json", "{");
    await expect(imported(empty, out)).rejects.toThrow(/config\.json: not JSON/);
    write("config.json", JSON.stringify(llama.config));
    await expect(imported(empty, out)).rejects.toThrow(/has no tokenizer\.json/);
    write("tokenizer.json", "{}");
    await expect(imported(empty, out)).rejects.toThrow(/has no model\.safetensors/);
    write("pytorch_model.bin", "");
    await expect(imported(empty, out)).rejects.toThrow(/pickled, which can run code/);
    writeFolder(empty, llama);
    write("tokenizer.json", "{}");
    await expect(imported(empty, out)).rejects.toThrow(/tokenizer: /);
    expect(existsSync(out)).toBe(false);
  });

  it("where a run is already", async () => {
    const { folder, out } = folderOf(llama);
    await imported(folder, out);
    const before = readFileSync(join(out, "model.safetensors"));
    await expect(imported(folder, out)).rejects.toThrow(/holds a run already/);
    expect(readFileSync(join(out, "model.safetensors")).equals(before)).toBe(true);
  });
});

describe("float8 without scales", () => {
  it.each([
    ["F8_E4M3", 4, 3, 7],
    ["F8_E5M2", 5, 2, 15],
  ] as const)("%s is kept, and read as what it stands for", async (stored, exponentBits, fractionBits, bias) => {
    const { folder, out } = folderOf(llama);
    const name = "model.layers.1.self_attn.v_proj.weight";
    const bytes = Uint8Array.from({ length: 1024 }, (_, i) => ((i & 0x78) === 0x78 ? 0 : i & 255)); // no NaN, no infinity
    const tensors = llama.tensors.map(([, tensor, type, shape]): WrittenTensor => {
      return tensor === name ? [tensor, stored, shape, bytes] : [tensor, type, shape];
    });
    writeTensors(join(folder, "model.safetensors"), tensors);
    const { run } = await imported(folder, out);
    const found = (await run.loadModel()).tensors["layers.1.attn.v"]?.data as Float32Array;
    const expected = Float32Array.from(bytes, (byte) => {
      const exponent = (byte >> fractionBits) & (2 ** exponentBits - 1);
      const fraction = (byte & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      const size = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
      return byte & 0x80 ? -size : size;
    });
    expect(found).toEqual(expected);
  });
});

describe("what a folder says of its texts", () => {
  it("is kept: ends, the chat template, and the tokens it knows", async () => {
    const { folder, out } = folderOf(llama);
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: [2, 7] }));
    const chats = [
      { name: "tool_use", template: "no" },
      { name: "default", template: "{{ bos_token }}x" },
    ];
    const tokens = { bos_token: { content: "<b>" }, eos_token: "<e>", chat_template: chats };
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(tokens));
    await imported(folder, out);
    const run = await RunDirectory.open(out);
    const said = { bos_token: "<b>", eos_token: "<e>", prefix: "template", end_token_ids: [2, 7] };
    expect(run.texts).toEqual({ ...said, chat_template_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(run.loadTokenizer().prefix).toEqual([]); // as in its own library, where no template says otherwise
    expect(await run.chatTemplate()).toBe("{{ bos_token }}x");
    expect([...run.loadTokenizer().ends]).toEqual([0, 2, 7]);
    expect(run.finished).toBe(true);
    writeFileSync(join(out, "chat_template.jinja"), "{{ bos_token }}y");
    await expect(run.chatTemplate()).rejects.toThrow(
      /chat_template.jinja: is not the chat template that the run was made/,
    );
    rmSync(join(out, "chat_template.jinja"));
    await expect(run.chatTemplate()).rejects.toThrow(/restore it/);
  });

  it("is refused where it ends in tokens that are not there", async () => {
    const { folder, out } = folderOf(llama);
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: 300 }));
    await expect(imported(folder, out)).rejects.toThrow(/no token 300 to end a text/);
  });
});
