// A golden Llama in other projects' files: GGUF, and llama2.c's .bin with its vocabulary.

import { type GgufTensor, type GgufValue, ggufBytes } from "./gguf-writer.ts";
import type { Golden } from "./golden/golden.ts";
import { fill } from "./golden/weights.ts";

const [width, mlpWidth, layers, heads, vocab, context] = [32, 40, 4, 4, 300, 128];
const names: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
  input_layernorm: "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  post_attention_layernorm: "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** llama.cpp's name of a tensor. */
export function ggufName(name: string): string {
  const [, layer, own] = /^model\.layers\.(\d+)\.(.*)\.weight$/.exec(name) ?? [];
  if (own !== undefined) return `blk.${layer}.${names[own]}.weight`;
  return `${names[name.replace(/\.weight$/, "")]}.weight`;
}

/** Rows of heads as Meta has them: `reshape(heads, 2, D/2).swapaxes(1, 2)` of Hugging Face's. */
export function adjacent(numbers: Float32Array, rows: number, columns: number): Float32Array {
  const dim = rows / heads;
  const out = new Float32Array(numbers.length);
  for (let head = 0; head < heads; head++) {
    for (let half = 0; half < 2; half++) {
      for (let pair = 0; pair < dim / 2; pair++) {
        const from = head * dim + (half * dim) / 2 + pair;
        const to = head * dim + 2 * pair + half;
        out.set(numbers.subarray(from * columns, (from + 1) * columns), to * columns);
      }
    }
  }
  return out;
}

/** The golden's numbers under llama.cpp's names, pairs side by side. */
export function llamaTensors({ tensors }: Golden): { name: string; shape: readonly number[]; numbers: Float32Array }[] {
  return tensors.map(([, name, , shape]) => {
    const numbers = fill(name, shape);
    const isTurned = /[qk]_proj/.test(name);
    const [rows = 1, columns = 1] = shape;
    return { name: ggufName(name), shape, numbers: isTurned ? adjacent(numbers, rows, columns) : numbers };
  });
}

/** A vocabulary of 300 tokens. */
const pieces: readonly { text: string; score: number; type: number }[] = [
  { text: "<unk>", score: 0, type: 2 },
  { text: "<s>", score: 0, type: 3 },
  { text: "</s>", score: 0, type: 3 },
  ...Array.from({ length: 256 }, (_, byte) => {
    return { text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, score: 0, type: 6 };
  }),
  ...["▁t", "he", "▁the", "in", "er", "an", "▁a", "re", "on", "▁s", "or"].map((text, i) => ({
    text,
    score: -i,
    type: 1,
  })),
  ...[..."▁etaoinshrdlucmfwypvbgkqjxz.,é"].map((text) => ({ text, score: -1000, type: 1 })),
];

/** The golden as a GGUF file. `change` alters what is written. */
export function llamaGguf(
  golden: Golden,
  encode: (numbers: Float32Array, shape: readonly number[]) => Pick<GgufTensor, "type" | "bytes">,
  change: { metadata?: Record<string, GgufValue>; tensors?: (all: GgufTensor[]) => GgufTensor[] } = {},
): Buffer {
  const metadata: Record<string, GgufValue> = {
    "general.architecture": "llama",
    "llama.block_count": { u32: layers },
    "llama.context_length": { u32: context },
    "llama.embedding_length": { u32: width },
    "llama.feed_forward_length": { u32: mlpWidth },
    "llama.attention.head_count": { u32: heads },
    "llama.attention.head_count_kv": { u32: heads },
    "llama.attention.layer_norm_rms_epsilon": { f32: 1e-6 },
    "llama.rope.freq_base": { f32: 10000 },
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": pieces.slice(0, vocab).map(({ text }) => text),
    "tokenizer.ggml.scores": pieces.slice(0, vocab).map(({ score }) => ({ f32: score })),
    "tokenizer.ggml.token_type": pieces.slice(0, vocab).map(({ type }) => ({ u32: type })),
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: 2 },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    "tokenizer.chat_template": "{{ bos_token }}{{ messages[0].content }}",
    ...change.metadata,
  };
  const tensors = llamaTensors(golden).map(({ name, shape, numbers }) => ({ name, shape, ...encode(numbers, shape) }));
  return ggufBytes(metadata, change.tensors?.(tensors) ?? tensors);
}

const order = ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_down", "ffn_up"];

/** The golden as llama2.c's model: tensors of all layers together, tables that nobody reads, the head last. */
export function llamaBin(golden: Golden): Buffer {
  const found = new Map(llamaTensors(golden).map(({ name, numbers }) => [name, Buffer.from(numbers.buffer)]));
  const get = (name: string) => found.get(`${name}.weight`) as Buffer;
  const inLayers = order.flatMap((name) => Array.from({ length: layers }, (_, layer) => get(`blk.${layer}.${name}`)));
  const header = Buffer.from(Int32Array.of(width, mlpWidth, layers, heads, heads, -vocab, context).buffer);
  const tables = Buffer.alloc(4 * context * (width / heads));
  return Buffer.concat([header, get("token_embd"), ...inLayers, get("output_norm"), tables, get("output")]);
}

/** The vocabulary as llama2.c's tokenizer. */
export function llamaVocabulary(): Buffer {
  const entries = pieces.slice(0, vocab).flatMap(({ text, score }) => {
    const bytes = Buffer.from(text.replaceAll("▁", " "));
    return [Buffer.from(Float32Array.of(score).buffer), Buffer.from(Int32Array.of(bytes.length).buffer), bytes];
  });
  return Buffer.concat([Buffer.from(Int32Array.of(6).buffer), ...entries]);
}

/** What llama2.c makes of a text: characters or their bytes, then the pair of the best score, leftmost first. */
export function llama2cIds(text: string): number[] {
  const ids = new Map(pieces.slice(0, vocab).map(({ text }, id) => [text, id]));
  const spaced = text === "" ? "" : `▁${text.replaceAll(" ", "▁")}`;
  const tokens = [...spaced].flatMap((character) => {
    const id = ids.get(character);
    return id === undefined ? [...Buffer.from(character)].map((byte) => byte + 3) : [id];
  });
  for (;;) {
    let best: { at: number; id: number; score: number } | undefined;
    for (let at = 0; at + 1 < tokens.length; at++) {
      const joined = [tokens[at], tokens[at + 1]].map((id) => (pieces[id as number] as { text: string }).text).join("");
      const id = ids.get(joined);
      const score = id === undefined ? Number.NEGATIVE_INFINITY : (pieces[id]?.score as number);
      if (id !== undefined && (!best || score > best.score)) best = { at, id, score };
    }
    if (!best) return tokens;
    tokens.splice(best.at, 2, best.id);
  }
}
