// Tokenizers and chat templates as the families have them give what Hugging Face's own libraries give.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ChatTemplate } from "../../src/text/chat-template.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";

const folder = join(import.meta.dirname, "golden");
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const names = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "chats.json");

interface Golden {
  readonly tokenizer: object;
  readonly texts: readonly string[];
  readonly ids: readonly (readonly number[])[];
}

describe.each(names)("%s", (name) => {
  const { tokenizer: json, texts, ids } = read(name) as Golden;
  const tokenizer = loadTokenizer(json);

  it("gives the reference's ids", () => {
    const found = texts.map((text) => [...tokenizer.encode(text, { special: true })]);
    for (const [i, text] of texts.entries()) expect({ text, ids: found[i] }).toEqual({ text, ids: ids[i] });
  });

  it("decodes them to the text, with the space that it puts before", () => {
    const decoded = (text: string) => tokenizer.decode(tokenizer.encode(text));
    for (const text of ["Hello world", "日本 👍🏽 x", "a\0b", "1234  5"]) {
      expect([text, ` ${text}`]).toContain(decoded(text));
    }
  });
});

it("knows SentencePiece's prefix, ends and bytes", () => {
  const tokenizer = loadTokenizer(read("llama2.json").tokenizer);
  expect(tokenizer.prefix).toEqual([1]);
  expect([...tokenizer.ends]).toEqual([2]);
  expect(tokenizer.endOfText).toBe(2);
  const text = tokenizer.encode("ก"); // not in the vocabulary
  expect(text.length).toBe(4); // a space, three bytes
  expect([...text].map((id) => [...tokenizer.bytesOf(id)])).toEqual([[32], [0xe0], [0xb8], [0x81]]);
});

describe("chat templates", () => {
  const { chats, cases } = read("chats.json");

  it.each(cases as { name: string; template: string; rendered: string[] }[])("$name", ({ template, rendered }) => {
    const made = new ChatTemplate(template, { begin: "<s>", end: "</s>" });
    expect(chats.map((chat: never) => made.render(chat))).toEqual(rendered);
  });
});
