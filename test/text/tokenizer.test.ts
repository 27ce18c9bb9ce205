import * as library from "@huggingface/tokenizers";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/error.ts";
import { trainBpe } from "../../src/text/bpe-training.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { corpus, nastyStrings } from "./strings.ts";

interface Json {
  added_tokens: Record<string, unknown>[];
  normalizer: unknown;
  pre_tokenizer: unknown;
  decoder: unknown;
  post_processor: unknown;
  model: { vocab: Record<string, number>; merges: unknown[]; ignore_merges: boolean; byte_fallback?: boolean };
}

const base = JSON.stringify(trainBpe(corpus, { vocab: 420 }).json);
const changed = (change: (json: Json) => void): Json => {
  const json = JSON.parse(base) as Json;
  change(json);
  return json;
};
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const qwen2 = llama3.replace("{1,3}", "");
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const sequence = (...pretokenizers: object[]) => ({ type: "Sequence", pretokenizers });
const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

describe("loadTokenizer", () => {
  const variants: Record<string, (json: Json) => void> = {
    "Llama 3's pattern, whole tokens first": (json) => {
      json.pre_tokenizer = sequence(split(llama3), byteLevel);
      json.model.ignore_merges = true;
    },
    "Qwen 2's pattern and NFC": (json) => {
      json.pre_tokenizer = sequence(split(qwen2), byteLevel);
      json.normalizer = { type: "NFC" };
    },
    "SmolLM's single digits": (json) => {
      json.pre_tokenizer = sequence({ type: "Digits", individual_digits: true }, { ...byteLevel, use_regex: true });
    },
    "a space in front": (json) => {
      json.pre_tokenizer = { ...byteLevel, use_regex: true, add_prefix_space: true };
    },
    "merges as pairs": (json) => {
      json.model.merges = json.model.merges.map((merge) => (merge as string).split(" "));
    },
    "more special tokens": (json) => {
      for (const [i, content] of ["<|im_start|>", "<|im_end|>", "<|im_"].entries()) {
        json.added_tokens.push({ id: 420 + i, content, ...special });
      }
    },
  };

  it.each(Object.entries(variants))("agrees with the reference library: %s", (_, change) => {
    const json = changed(change);
    const ours = loadTokenizer(json);
    const theirs = new library.Tokenizer(JSON.parse(JSON.stringify(json)), {});
    for (const text of [...nastyStrings, ...corpus, "<|im_start|>user\nHi<|im_end|><|im_x 'S 'LL 12345"]) {
      expect([...ours.encode(text, { special: true })], JSON.stringify(text)).toEqual(theirs.encode(text).ids);
    }
  });

  it("keeps a token spelled __proto__", () => {
    const json = changed(({ model, pre_tokenizer }) => {
      Object.defineProperty(model.vocab, "__proto__", { value: 420, enumerable: true });
      Object.assign(pre_tokenizer as object, { use_regex: false });
      model.ignore_merges = true;
    });
    expect([...loadTokenizer(JSON.parse(JSON.stringify(json))).encode("__proto__")]).toEqual([420]);
  });

  it("finds added tokens that are not special in any text", () => {
    const json = changed(({ added_tokens }) => {
      added_tokens.push({ ...special, id: 420, content: "  ", special: false });
    });
    const tokenizer = loadTokenizer(json);
    expect(tokenizer.vocab).toBe(421);
    expect([...tokenizer.encode("a  b")]).toEqual([98, 420, 99]);
    expect([...tokenizer.special]).toEqual([["<|endoftext|>", 0]]);
    expect(tokenizer.decode([98, 420, 0])).toBe("a  <|endoftext|>");
  });

  it("takes the end of text that is named", () => {
    const json = changed(({ added_tokens }) => {
      added_tokens.push({ ...special, id: 420, content: "<stop>" });
    });
    expect(loadTokenizer(json, { endOfText: "<stop>" }).endOfText).toBe(420);
    expect(() => loadTokenizer(json, { endOfText: "<end>" })).toThrow(
      "no token <end> among the added tokens; found <|endoftext|> <stop>",
    );
  });

  const template = (single: object[], ids: number[]) => ({
    type: "TemplateProcessing",
    single,
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids, tokens: ["<s>"] } },
  });
  const begin = { SpecialToken: { id: "<s>", type_id: 0 } };
  const text = { Sequence: { id: "A", type_id: 0 } };

  it("begins a text by the end of text, or by what the post-processor's template says", () => {
    const prefix = (post_processor: unknown) =>
      loadTokenizer(changed((json) => Object.assign(json, { post_processor }))).prefix;
    expect(prefix(null)).toEqual([0]);
    expect(prefix({ ...byteLevel })).toEqual([0]);
    expect(prefix(template([begin, text], [7]))).toEqual([7]);
    expect(prefix(template([begin, begin, text, begin], [7, 8]))).toEqual([7, 8, 7, 8]);
    expect(prefix(template([text, begin], [7]))).toEqual([0]);
    expect(prefix({ type: "Sequence", processors: [byteLevel, template([begin, text], [9])] })).toEqual([9]);
    expect(() => prefix(template([begin, text], [420]))).toThrow(/post_processor: "<s>" is not a token of the 420/);
    expect(() => prefix(template([{ SpecialToken: { id: "toString" } }, text], [1]))).toThrow(InputError);
    expect(() => prefix({ type: "TemplateProcessing", single: 1 })).toThrow(/tokenizer: post_processor\.single/);
  });

  it("ends a text at the end of text and at special tokens that end a turn", () => {
    const ends = (content: string, flag: boolean) =>
      loadTokenizer(changed((json) => json.added_tokens.push({ ...special, id: 420, content, special: flag }))).ends;
    expect([...ends("<|eot_id|>", true)]).toEqual([0, 420]);
    expect([...ends("<|eot_id|>", false)]).toEqual([0]);
    expect([...ends("<|im_start|>", true)]).toEqual([0]);
  });

  it("decodes what only the model has to nothing, and refuses a model that scores fewer", () => {
    const padded = loadTokenizer(
      changed(() => {}),
      { modelVocab: 448 },
    );
    expect(padded.vocab).toBe(420);
    expect(padded.decode([98, 420, 447, 99])).toBe("ab");
    for (const id of [448, -1, 420.5]) expect(() => padded.bytesOf(id)).toThrow(/ids are 0 to 447/);
    expect(() => loadTokenizer(JSON.parse(base), { modelVocab: 419 })).toThrow(/420 tokens, .* scores only 419/);
  });

  const mistakes: [string, (json: Json) => void, RegExp][] = [
    ["another model", (json) => Object.assign(json.model, { type: "Unigram" }), /model\.type/],
    ["another pretokenizer", (json) => Object.assign(json, { pre_tokenizer: { type: "Metaspace" } }), /pre_tokenizer/],
    ["no pretokenizer", (json) => Object.assign(json, { pre_tokenizer: null }), /pre_tokenizer/],
    [
      "a sequence without ByteLevel",
      (json) => Object.assign(json, { pre_tokenizer: sequence(split("x")) }),
      /ByteLevel/,
    ],
    ["another decoder", (json) => Object.assign(json, { decoder: { type: "WordPiece" } }), /decoder/],
    ["another normalizer", (json) => Object.assign(json, { normalizer: { type: "Precompiled" } }), /normalizer/],
    ["byte fallback", (json) => Object.assign(json.model, { byte_fallback: true }), /byte_fallback/],
    ["no vocabulary", (json) => Object.assign(json.model, { vocab: undefined }), /model\.vocab/],
    ["a missing byte", (json) => delete json.model.vocab.A, /ids 0 to|no token for byte/],
    ["an id twice", (json) => Object.assign(json.model.vocab, { A: 5 }), /id 5 is given twice|ids 0 to/],
    ["an id that is no integer", (json) => Object.assign(json.model.vocab, { A: 1.5 }), /has id 1\.5/],
    ["a gap", (json) => Object.assign(json.model.vocab, { A: 4000 }), /has id 4000/],
    [
      "a token that is not byte-level",
      (json) => Object.assign(json.model.vocab, { "a b": 420 }),
      /"a b" \(id 420\) is not byte-level/,
    ],
    ["a merge of unknown tokens", (json) => json.model.merges.push("Q zzz"), /merges\.\d+: "Q zzz": "zzz"/],
    ["a merge of unknown result", (json) => json.model.merges.push("Q q"), /"Qq" is not in the vocabulary/],
    ["a merge of three", (json) => json.model.merges.push("a b c"), /merges\.\d+/],
    [
      "an added token in another's place",
      (json) => json.added_tokens.push({ ...special, id: 7, content: "<x>" }),
      /<x>/,
    ],
    ["an added token past a gap", (json) => json.added_tokens.push({ ...special, id: 900, content: "<x>" }), /<x>/],
    [
      "post-processors nested without end",
      (json) => {
        json.post_processor = { type: "ByteLevel" };
        for (let i = 0; i < 20_000; i++) json.post_processor = { type: "Sequence", processors: [json.post_processor] };
      },
      /post_processor: is nested too deep/,
    ],
    [
      "an added token that is too long to look for",
      (json) => json.added_tokens.push({ ...special, id: 420, content: "x".repeat(10_000) }),
      /added_tokens\.\d+\.content/,
    ],
    ["no end of text", (json) => json.added_tokens.pop(), /no token <\|endoftext\|>|not byte-level/],
  ];
  const doubling = Array.from({ length: 40 }, () => ({ type: "Replace", pattern: { String: "a" }, content: "aa" }));

  it("refuses steps that make far more of a text than there was", () => {
    const tokenizer = loadTokenizer(
      changed((json) => Object.assign(json, { normalizer: { type: "Sequence", normalizers: doubling } })),
    );
    expect(() => tokenizer.encode("a".repeat(100))).toThrow(/normalizer: makes 12800 characters of 100;/);
    const characters = {
      added_tokens: [{ ...special, id: 1, content: "</s>" }],
      decoder: { type: "Sequence", decoders: doubling },
      model: { vocab: { a: 0, "</s>": 1 }, merges: [] },
    };
    expect(() => loadTokenizer(characters)).toThrow(/decoder: makes 8192 characters of 1;/);
  });

  it.each(mistakes)("refuses %s", (_, change, message) => {
    const load = () => loadTokenizer(changed(change));
    expect(load).toThrow(InputError);
    expect(load).toThrow(message);
  });

  it("refuses what is no object", () => {
    for (const json of [null, 3, "{}", []]) expect(() => loadTokenizer(json)).toThrow(InputError);
  });

  it("refuses ids outside the vocabulary", () => {
    const tokenizer = loadTokenizer(JSON.parse(base));
    for (const id of [-1, 420, 1.5, Number.NaN]) expect(() => tokenizer.decode([1, id])).toThrow(InputError);
  });
});
