// The layouts of other projects' checkpoints, a row a parameter.

import type { ModelConfig } from "../model/config.ts";
import type { SiteName } from "../model/sites.ts";
import type { Layout, Place } from "./layout.ts";
import { adjacentPairs, after, everySecond, halvedPairs, headOfTwo, type Rows } from "./rows.ts";

type Places = Layout["places"];

const inLayer = (names: Readonly<Partial<Record<SiteName, string | Place>>>, prefix: string): Places =>
  Object.fromEntries(
    Object.entries(names).map(([site, place]) => [
      site,
      typeof place === "string" ? { tensor: prefix + place } : { ...place, tensor: prefix + place.tensor },
    ]),
  );

const llamaLayer = "model.layers.{layer}.";
const llamaPlaces: Places = {
  embed: { tensor: "model.embed_tokens" },
  ...inLayer(
    {
      "attn.norm": "input_layernorm",
      "attn.q": { tensor: "self_attn.q_proj", rows: halvedPairs },
      "attn.q_norm": { tensor: "self_attn.q_norm", rows: halvedPairs },
      "attn.k": { tensor: "self_attn.k_proj", rows: halvedPairs },
      "attn.k_norm": { tensor: "self_attn.k_norm", rows: halvedPairs },
      "attn.v": "self_attn.v_proj",
      "attn.o": "self_attn.o_proj",
      "mlp.norm": "post_attention_layernorm",
      "mlp.gate": "mlp.gate_proj",
      "mlp.up": "mlp.up_proj",
      "mlp.down": "mlp.down_proj",
    },
    llamaLayer,
  ),
  norm: { tensor: "model.norm" },
  head: { tensor: "lm_head" },
};
const inverseFrequencies = /\.rotary_emb\.inv_freq$/;

/** Llama, Mistral, Qwen, SmolLM in Hugging Face's names. */
const llama: Layout = { places: llamaPlaces, needless: inverseFrequencies };

/** Hunyuan's norms of heads have names of their own, and that of keys is each reader's. */
const hunyuan: Layout = {
  ...llama,
  places: {
    ...llamaPlaces,
    ...inLayer(
      {
        "attn.q_norm": { tensor: "self_attn.query_layernorm", rows: halvedPairs },
        "attn.read_norm": { tensor: "self_attn.key_layernorm", rows: halvedPairs },
      },
      llamaLayer,
    ),
  },
};

/** Phi-3 fuses queries, keys and values, and the two halves of the MLP. */
const phi3: Layout = {
  ...llama,
  places: {
    ...llamaPlaces,
    ...inLayer(
      {
        "attn.q": { tensor: "self_attn.qkv_proj", rows: halvedPairs },
        "attn.k": { tensor: "self_attn.qkv_proj", rows: after(["queries"], halvedPairs) },
        "attn.v": { tensor: "self_attn.qkv_proj", rows: after(["queries", "keys"]) },
        "mlp.gate": "mlp.gate_up_proj",
        "mlp.up": { tensor: "mlp.gate_up_proj", rows: after(["mlp"]) },
      },
      llamaLayer,
    ),
  },
};

/** The authors' models (gpt_crosslayer): fused keys and values of owners with a norm of their own, a fused SwiGLU. */
function crosslayer(
  names: { layer: string; owner: string; mixer: string; mlp: string },
  gate: Rows,
  up?: Rows,
): Layout {
  const { layer, owner, mixer, mlp } = names;
  const fused = `${mlp}.c_fc`;
  return {
    places: {
      embed: { tensor: "transformer.wte" },
      ...inLayer(
        {
          "attn.norm": "ln_1",
          "attn.q": `${mixer}.q_attn`,
          "attn.o": `${mixer}.c_proj`,
          "mlp.norm": "ln_2",
          "mlp.gate": { tensor: fused, rows: gate },
          "mlp.up": { tensor: fused, ...(up && { rows: up }) },
          "mlp.down": `${mlp}.c_proj`,
        },
        layer,
      ),
      ...inLayer(
        {
          "attn.kv_norm": "ln",
          "attn.k": { tensor: "kv_attn", rows: headOfTwo(0) },
          "attn.v": { tensor: "kv_attn", rows: headOfTwo(1) },
        },
        owner,
      ),
      norm: { tensor: "transformer.ln_f" },
      head: { tensor: "lm_head" },
    },
  };
}

const eachLayer = {
  layer: "transformer.h.{layer}.",
  owner: "transformer.h.{layer}.kv_proj.",
  mixer: "sequence_mixer",
  mlp: "mlp_block",
};
const groups = {
  layer: "transformer.h.{group}.layers.{member}.",
  owner: "transformer.h.{group}.kv_proj.",
  mixer: "attn",
  mlp: "mlp",
};

/** llama.cpp's names. It puts Llama's pairs side by side, and leaves those of others as Hugging Face has them. */
function gguf(order: Rows, more: Readonly<Partial<Record<SiteName, string | Place>>> = {}): Layout {
  return {
    places: {
      embed: { tensor: "token_embd" },
      ...inLayer(
        {
          "attn.norm": "attn_norm",
          "attn.q": { tensor: "attn_q", rows: order },
          "attn.q_norm": { tensor: "attn_q_norm", rows: order },
          "attn.k": { tensor: "attn_k", rows: order },
          "attn.k_norm": { tensor: "attn_k_norm", rows: order },
          "attn.v": "attn_v",
          "attn.o": "attn_output",
          "mlp.norm": "ffn_norm",
          "mlp.gate": "ffn_gate",
          "mlp.up": "ffn_up",
          "mlp.down": "ffn_down",
          ...more,
        },
        "blk.{layer}.",
      ),
      norm: { tensor: "output_norm" },
      head: { tensor: "output" },
    },
    needless: /^rope_(freqs|factors_(long|short))\.weight$/, // read with the config
  };
}

/** What crosslayer's own code for transformers reads: Llama's names, our order, and names for what Llama has not. */
const own: Layout = {
  places: {
    ...llamaPlaces,
    ...inLayer(
      {
        "attn.q": "self_attn.q_proj",
        "attn.q_norm": "self_attn.q_norm",
        "attn.read_norm": "self_attn.read_norm",
        "attn.kv_norm": "self_attn.kv_norm",
        "attn.k": "self_attn.k_proj",
        "attn.k_norm": "self_attn.k_norm",
      },
      llamaLayer,
    ),
  },
};

/** Every layout. */
export const layouts = {
  crosslayer: own,
  llama,
  hunyuan,
  phi3,
  /** ibm-granite/dolomite-engine, 2024: layers by group; SwiGLU's halves are up, then gate. */
  "crosslayer-2024": { ...crosslayer(groups, after(["mlp"])), words: groupWords },
  /** IBM/dolomite-engine, 2025: layers by number; the same halves. */
  "crosslayer-2025": crosslayer(eachLayer, after(["mlp"])),
  /** open-lm-engine/lm-engine, 2026: SwiGLU interleaved, gate on even rows, up on odd ones. */
  "crosslayer-2026": crosslayer(eachLayer, everySecond(0), everySecond(1)),
  "gguf-adjacent": gguf(adjacentPairs),
  "gguf-halved": gguf(halvedPairs),
  "gguf-hunyuan": gguf(halvedPairs, { "attn.read_norm": { tensor: "attn_k_norm", rows: halvedPairs } }),
  "gguf-phi3": gguf(halvedPairs, {
    "attn.q": { tensor: "attn_qkv", rows: halvedPairs },
    "attn.k": { tensor: "attn_qkv", rows: after(["queries"], halvedPairs) },
    "attn.v": { tensor: "attn_qkv", rows: after(["queries", "keys"]) },
    "mlp.gate": "ffn_up",
    "mlp.up": { tensor: "ffn_up", rows: after(["mlp"]) },
  }),
} as const satisfies Readonly<Record<string, Layout>>;

/** A layout's name. */
export type LayoutName = keyof typeof layouts;

/** The number of a layer's group, and of the layer in it; groups are neighbours that share. */
function groupWords({ sharing }: ModelConfig, layer: number): { group: number; member: number } {
  const first = sharing.indexOf(sharing[layer] as number);
  return { group: new Set(sharing.slice(0, layer + 1)).size - 1, member: layer - first };
}
