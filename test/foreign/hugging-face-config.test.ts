// Other projects' configs: the sizes of well-known models, every dialect of sharing, and what is refused.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { huggingFaceModel, readHuggingFaceConfig } from "../../src/foreign/hugging-face-config.ts";
import { declaredSharing } from "../../src/foreign/sharing-dialect.ts";
import { kvBytesPerToken, parameterCount } from "../../src/model/cost.ts";
import { namedModel, scales } from "../../src/model/name.ts";
import { share } from "../../src/model/sharing.ts";
import { scratch } from "../files/scratch.ts";

/** Sizes in Hugging Face's words. */
const sized = (
  [hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads]: readonly number[],
  [intermediate_size, vocab_size]: readonly number[],
  more: object = {},
) => ({
  ...{ hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, intermediate_size, vocab_size },
  ...{ max_position_embeddings: 4096, ...more },
});

const small = sized([64, 6, 4, 2], [96, 1000], { model_type: "llama" });

describe("parameters of published models", () => {
  // Counted in their checkpoints.
  test.each([
    ["Llama 3.1 8B", 8_030_261_248, sized([4096, 32, 32, 8], [14336, 128256], { model_type: "llama" })],
    [
      "TinyLlama 1.1B",
      1_100_048_384,
      sized([2048, 22, 32, 4], [5632, 32000], { model_type: "llama", tie_word_embeddings: false }),
    ],
    ["Mistral 7B", 7_241_732_096, sized([4096, 32, 32, 8], [14336, 32000], { model_type: "mistral" })],
    [
      "Qwen2.5 0.5B",
      494_032_768,
      sized([896, 24, 14, 2], [4864, 151936], { model_type: "qwen2", tie_word_embeddings: true }),
    ],
    [
      "Qwen3 0.6B",
      596_049_920,
      sized([1024, 28, 16, 8], [3072, 151936], { model_type: "qwen3", head_dim: 128, tie_word_embeddings: true }),
    ],
    ["Gemma 2B", 2_506_172_416, sized([2048, 18, 8, 1], [16384, 256000], { model_type: "gemma", head_dim: 256 })],
  ])("%s has %i", (_, count, config) => {
    expect(parameterCount(huggingFaceModel(config).model).total).toBe(count);
  });

  test("Llama 3.1 8B takes 131,072 bytes of cache a token in 16 bits", () => {
    const config = sized([4096, 32, 32, 8], [14336, 128256], { model_type: "llama", rope_theta: 500000 });
    const { model, type } = huggingFaceModel({ ...config, rms_norm_eps: 1e-6 });
    expect(kvBytesPerToken(model, "float16")).toBe(131_072);
    expect(type).toBe("llama");
    expect(model).toMatchObject({ ropeTheta: 500000, normEpsilon: 1e-6, tiedEmbeddings: false, kvNorm: "shared" });
  });
});

describe("the authors' gpt_crosslayer, in all its layouts", () => {
  const { layers, width, mlpWidth, vocab } = scales["1b"];
  const paper = namedModel("H128-MQA-CLA2", scales["1b"]);
  const rest = {
    model_type: "gpt_crosslayer",
    vocab_size: vocab,
    position_embedding_type: "rope",
    layer_norm_epsilon: 1e-5,
  };
  const sharing = { sharing_pattern: [...share(layers, 2)], normalization_function: "rmsnorm" };
  const mixer = { sequence_mixer_type: "softmax_attention", num_attention_heads: 16, num_key_value_heads: 1 };
  const mlp = { mlp_type: "MLP", activation_function: "swiglu", intermediate_size: mlpWidth, add_bias: false };
  const each = (block: object) => Array.from({ length: layers }, () => ({ ...block }));
  const blocks = {
    ...{ ...rest, ...sharing, hidden_size: width, num_layers: layers, max_position_embeddings: 2048 },
    ...{ sequence_mixer_blocks: each({ ...mixer, add_bias: false }), mlp_blocks: each(mlp) },
  };
  const gpt2 = {
    ...{ ...rest, ...sharing, n_embd: width, n_layer: layers, n_head: 16, n_inner: mlpWidth, n_positions: 2048 },
    ...{ attention_head_type: "mqa", activation_function: "swiglu", add_bias: false, num_experts: 8 },
  };

  test.each([
    ["blocks by layer", blocks],
    ["GPT-2's words", gpt2],
  ])("%s", (_, config) => {
    const { model, notes } = huggingFaceModel(config);
    expect({ ...model, initStd: 0 }).toEqual({ ...paper, initStd: 0 });
    expect(notes).toEqual([]);
  });

  test("an MLP's width may be said outside of its block, or not at all", () => {
    const { n_inner: _, ...unsaid } = gpt2;
    expect(huggingFaceModel({ ...unsaid, intermediate_size: 96, n_inner: 80 }).model.mlpWidth).toBe(96);
    const short = each({ mlp_type: "MLP", activation_function: "swiglu", add_bias: false });
    expect(huggingFaceModel({ ...blocks, mlp_blocks: short, intermediate_size: 96 }).model.mlpWidth).toBe(96);
    expect(huggingFaceModel(unsaid).model.mlpWidth).toBe(4 * width);
  });

  test("has biases unless it says no", () => {
    const { add_bias: _, ...unsaid } = gpt2;
    expect(huggingFaceModel(unsaid).model.biases).toEqual({ qkv: true, output: true, mlp: true });
  });

  test("is refused with an MLP of two matrices, learned positions, or layers that differ", () => {
    expect(() => huggingFaceModel({ ...gpt2, activation_function: "gelu" })).toThrow(/"gelu" cannot be planned/);
    expect(() => huggingFaceModel({ ...gpt2, position_embedding_type: "learned_absolute" })).toThrow(
      /learned_absolute/,
    );
    const mixed = blocks.mlp_blocks.with(3, { ...mlp, intermediate_size: 7 });
    expect(() => huggingFaceModel({ ...blocks, mlp_blocks: mixed })).toThrow(
      "mlp_blocks: layer 3 differs from layer 0",
    );
  });
});

describe("sharing, in every dialect", () => {
  const pairs = [0, 0, 2, 2, 4, 4];
  const tail = [0, 1, 2, 2, 2, 2];

  test.each([
    ["sharing_pattern", { sharing_pattern: [0, 0, 2, 2, 4, 4] }],
    ["LCKV", { layer_types: "0_0_2_2_4_4" }],
    ["LCKV with windows", { layer_types: "0_0s_2_2s_4_4s" }],
    ["Hunyuan", { use_cla: true, cla_share_factor: 2 }],
    [
      "Hymba",
      {
        kv_reuse_group: [
          [0, 1],
          [2, 3],
          [4, 5],
        ],
      },
    ],
    ["MLKV", { num_key_value_layers: 3 }],
    ["two that agree", { use_cla: true, cla_share_factor: 2, sharing_pattern: [0, 0, 2, 2, 4, 4] }],
  ])("%s: 6 layers in pairs", (_, config) => {
    expect(declaredSharing(config, 6)).toEqual(pairs);
    expect(huggingFaceModel({ ...small, ...config }).model.sharing).toEqual(share(6, 2));
  });

  test.each([
    ["Gemma", { num_kv_shared_layers: 3 }],
    ["Gemma, all layers of one type", { num_kv_shared_layers: 3, layer_types: new Array(6).fill("full_attention") }],
    ["AFM", { num_kv_reuse_layers: 3 }],
  ])("%s: the last 3 of 6 layers", (_, config) => {
    expect(declaredSharing(config, 6)).toEqual(tail);
    expect(huggingFaceModel({ ...small, ...config }).model.sharing).toEqual(share(6, 2, "Tail"));
  });

  test("Gemma's last layers read the last owner of their own type", () => {
    const [s, f] = ["sliding_attention", "full_attention"];
    const config = { num_kv_shared_layers: 4, layer_types: [s, f, s, s, f, s, f, s] };
    expect(declaredSharing(config, 8)).toEqual([0, 1, 2, 3, 1, 3, 1, 3]);
    expect(() => declaredSharing({ num_kv_shared_layers: 1, layer_types: [s, s, f] }, 3)).toThrow(
      "num_kv_shared_layers: layer 2 (full_attention) has no layer of its type below 2 to read from",
    );
  });

  test("Hunyuan's short group is the last; MLKV's groups are as even as can be; Hymba's may be anywhere", () => {
    expect(declaredSharing({ use_cla: true, cla_share_factor: 3 }, 8)).toEqual([0, 0, 0, 3, 3, 3, 6, 6]);
    expect(declaredSharing({ num_key_value_layers: 3 }, 8)).toEqual([0, 0, 2, 2, 2, 5, 5, 5]);
    expect(
      declaredSharing(
        {
          kv_reuse_group: [
            [1, 2],
            [4, 5, 6],
          ],
        },
        8,
      ),
    ).toEqual([0, 1, 1, 3, 4, 4, 4, 7]);
  });

  test.each([{}, { use_cla: false, cla_share_factor: 2 }, { num_kv_shared_layers: 0 }, { sharing_pattern: null }])(
    "%j is none",
    (config) => {
      expect(declaredSharing(config, 6)).toBeUndefined();
      expect(huggingFaceModel({ ...small, ...config }).model.sharing).toEqual([0, 1, 2, 3, 4, 5]);
    },
  );

  test.each([
    [{ layer_types: "0_5_2_3_4_5" }, /^layer_types: layer 1 reads layer 5 above it.*not cross-layer attention/],
    [{ layer_types: "0_0_x_2_4_4" }, /^layer_types: found "x" for layer 2/],
    [{ layer_types: "0_0_2_2" }, /^layer_types: sharing: 6 layers need 6 entries, found 4/],
    [
      { sharing_pattern: [0, 0, 1, 1, 1, 1] },
      /^sharing_pattern: sharing: layer 2 borrows from 1, which borrows from 0/,
    ],
    [{ sharing_pattern: "0,0" }, /^sharing_pattern: must be a list of layers, found "0,0"/],
    [
      {
        kv_reuse_group: [
          [0, 1],
          [1, 2],
        ],
      },
      /^kv_reuse_group: layer 1 is in two groups/,
    ],
    [{ kv_reuse_group: [[2, 1]] }, /^kv_reuse_group: sharing: layer 1 borrows from 2/],
    [{ use_cla: true, cla_share_factor: 9 }, /^cla_share_factor: must be a whole number from 1 to 6, found 9/],
    [{ num_kv_shared_layers: 6 }, /^num_kv_shared_layers: must be a whole number from 0 to 5, found 6/],
    [{ num_key_value_layers: 0 }, /^num_key_value_layers: must be a whole number from 1 to 6, found 0/],
    [
      { num_key_value_layers: 3, num_kv_reuse_layers: 3 },
      "num_key_value_layers means 0,0,2,2,4,4 and num_kv_reuse_layers means 0,1,2,2,2,2; keep one",
    ],
  ])("%j is an error", (config, message) => {
    expect(() => declaredSharing(config, 6)).toThrow(message);
  });
});

describe("models that would be computed wrongly are refused by name", () => {
  test.each([
    ["deepseek_v3", { kv_lora_rank: 512, n_routed_experts: 256 }, /multi-head latent attention \(kv_lora_rank 512/],
    ["mixtral", { num_local_experts: 8 }, /a mixture of experts \(num_local_experts\)/],
    ["qwen3_moe", { num_experts: 128 }, /a mixture of experts/],
    ["hunyuan", { num_experts: [1, 16], use_cla: true, cla_share_factor: 2 }, /a mixture of experts \(num_experts\)/],
    ["hymba", { kv_reuse_group: [[0, 1]] }, /layers that keep a state instead of keys and values \(a hybrid\)/],
    ["jamba", { mamba_d_state: 16 }, /a hybrid: mamba_d_state/],
    ["qwen3_5_text", { layer_types: ["linear_attention", "full_attention"] }, /layer type linear_attention/],
    ["gemma3n_text", { num_kv_shared_layers: 3 }, /embeddings for every layer/],
    ["gemma4_text", {}, /embeddings for every layer \(hidden_size_per_layer_input\)/],
    ["gemma4_text", { hidden_size_per_layer_input: 0 }, /heads of two sizes \(head_dim 256, global_head_dim 512\)/],
    ["gpt_neox", { num_key_value_layers: 3 }, /norms with biases, an MLP without a gate, and attention beside it/],
    ["yoco", {}, /lower layers that keep a window or a state/],
    ["llama_swiftkv", { num_key_value_layers: 3 }, /projected from one layer's stream/],
    ["toString", {}, /"toString" is not known; known are llama, /],
  ])("%s %j", (model_type, more, message) => {
    expect(() => huggingFaceModel({ ...small, model_type, ...more })).toThrow(message);
    expect(() => huggingFaceModel({ ...small, model_type, ...more })).toThrow(`model_type "${model_type}"`);
  });

  test("Gemma 4 whose layers are alike is planned", () => {
    const alike = { hidden_size_per_layer_input: 0, head_dim: 32, global_head_dim: 32, num_kv_shared_layers: 3 };
    expect(huggingFaceModel({ ...small, model_type: "gemma4_text", ...alike }).model).toMatchObject({
      headDim: 32,
      sharing: [0, 1, 2, 2, 2, 2],
      tiedEmbeddings: true,
    });
  });
});

describe("what is left out is said", () => {
  const notes = (config: object) => huggingFaceModel({ ...small, ...config }).notes.join("\n");

  test.each([
    [{ sliding_window: 1024 }, "Some or all layers attend to the last 1024 tokens only; the window is left out"],
    [{ layer_types: "0_0s_2_2s_4_4s" }, "3 of 6 layers attend to a window of tokens only"],
    [
      {
        model_type: "gemma3_text",
        sliding_window: 512,
        layer_types: [..."ssfssf"].map((t) => (t === "s" ? "sliding_attention" : "full_attention")),
      },
      "4 of 6 layers attend to the last 512 tokens only",
    ],
    [{ model_type: "afm7" }, "Its norms of queries and keys are not counted"],
    [{ quantization_config: { bits: 4 } }, "The weights are quantised on disk"],
    [{ max_position_embeddings: undefined }, "The config does not say how long texts may be; 2048 tokens are taken."],
  ])("%j", (config, note) => {
    expect(notes(config)).toContain(note);
  });

  test("and nothing else", () => {
    expect(notes({})).toBe("");
    expect(notes({ sliding_window: null })).toBe("");
    expect(notes({ sliding_window: 4096 })).toBe(""); // as long as the context
    expect(notes({ model_type: "qwen2", sliding_window: 1024, use_sliding_window: false })).toBe("");
  });

  test("the text model of a model that sees", () => {
    const { model, notes: said } = huggingFaceModel({
      model_type: "gemma3",
      text_config: { ...small, model_type: "gemma3_text" },
    });
    expect(model).toMatchObject({ layers: 6, headDim: 256, tiedEmbeddings: true });
    expect(said[0]).toContain("Only the text model is planned");
    expect(said).toHaveLength(2); // and the norms
    const { notes: more } = huggingFaceModel({
      model_type: "gemma3",
      text_config: { ...small, model_type: "gemma3_text" },
      quantization_config: { bits: 4 },
    });
    expect(more.filter((note) => !said.includes(note))).toEqual([
      "The weights are quantised on disk; the plan takes them as --weights says.",
    ]);
  });
});

describe("mistakes", () => {
  test.each([
    [[], "must be a JSON object"],
    [{ ...small, model_type: undefined }, "model_type is missing; is it a Hugging Face config?"],
    [{ ...small, hidden_size: undefined }, "hidden_size is missing"],
    [{ ...small, num_key_value_heads: undefined, model_type: "mistral" }, "num_key_value_heads is missing"],
    [{ ...small, intermediate_size: [96, 96] }, "intermediate_size must be a whole number above 0, found [96,96]"],
    [{ ...small, num_key_value_heads: 3 }, "4 heads cannot share 3 KV heads evenly"],
  ])("%j", (config, message) => {
    expect(() => huggingFaceModel(config)).toThrow(message);
  });

  test("name the file", async () => {
    const path = join(scratch(), "config.json");
    writeFileSync(path, JSON.stringify({ ...small, vocab_size: null }));
    await expect(readHuggingFaceConfig(path)).rejects.toThrow(`${path}: vocab_size is missing`);
    writeFileSync(path, JSON.stringify(small));
    expect((await readHuggingFaceConfig(path)).model.layers).toBe(6);
  });
});
