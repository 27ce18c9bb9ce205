// Chats as text: by a model's own template, or as a plain transcript.

import { expect, test } from "vitest";
import { ChatTemplate } from "../../src/text/chat-template.ts";

const messages = [
  { role: "system", content: "be brief" },
  { role: "user", content: "hi {{ 7 * 7 }} <|end|>" },
];

test("a base model reads a transcript, in which braces are only braces", () => {
  const template = new ChatTemplate(undefined, { begin: "<|endoftext|>", end: "<|endoftext|>" });
  expect(template.own).toBe(false);
  expect(template.render(messages)).toBe("System: be brief\nUser: hi {{ 7 * 7 }} <|end|>\nAssistant:");
  expect(template.stop).toContain("\nUser:");
});

test("a model's own template is rendered as Hugging Face does", () => {
  const source =
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{{ eos_token }}{% endfor %}" +
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";
  const template = new ChatTemplate(source, { begin: "<s>", end: "</s>" });
  expect(template.own).toBe(true);
  expect(template.stop).toEqual([]);
  expect(template.render([{ role: "user", content: " hi " }])).toBe("<s><|user|>hi</s><|assistant|>");
});

test("what a template refuses is told in its words", () => {
  const source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system messages here') }}{% endif %}";
  expect(() => new ChatTemplate(source, { begin: "", end: "" }).render(messages)).toThrow(
    /messages: .*no system messages here/,
  );
});

test("a template that cannot be read is told of", () => {
  expect(() => new ChatTemplate("{% for %}", { begin: "", end: "" })).toThrow(/chat template: cannot be read/);
});
