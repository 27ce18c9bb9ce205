// Messages of a chat as one text: by the model's own Jinja template, or plainly where a base model has none. Knows no
// tokens.

import { Template } from "@huggingface/jinja";
import { InputError } from "../error.ts";
import type { ChatMessage, Tool } from "./chat-message.ts";
import { rewriteStrips, stripCharacters, stripName } from "./jinja-strip.ts";
import { withinTime } from "./time-limit.ts";
import { type ToolFormName, toolFormOf } from "./tool-form.ts";
import { plainMessages } from "./tool-messages.ts";

/** Milliseconds that a template may take. */
const renderMs = 1000;

/** What a base model reads: a transcript in which the assistant is next. */
const transcript =
  "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n{% endfor %}Assistant:";

type Names = Readonly<Record<string, unknown>>;

/** How a model's chats are written. */
export class ChatTemplate {
  /** Whether the model brought it; its text may spell out special tokens, a transcript's never does. */
  readonly own: boolean;
  /** The model's own template, as it brought it. */
  readonly source: string | undefined;
  /** The texts that it knows as `bos_token` and `eos_token`. */
  readonly tokens: { readonly begin: string; readonly end: string };
  /** Texts at which an answer ends, beside the tokenizer's ends. */
  readonly stop: readonly string[];
  /** How its models spell calls of tools. */
  readonly toolForm: ToolFormName;
  readonly #takesTools: boolean;
  readonly #template: Template;
  readonly #names: Names;

  /**
   * @param source Jinja as in a Hugging Face `chat_template`; undefined for a plain transcript.
   * @throws InputError if the template cannot be read.
   */
  constructor(source: string | undefined, tokens: { begin: string; end: string }) {
    this.own = source !== undefined;
    this.source = source;
    this.tokens = tokens;
    this.stop = this.own ? [] : ["\nUser:", "\nSystem:", "\nAssistant:"];
    this.toolForm = toolFormOf(source ?? "");
    this.#takesTools = source !== undefined && /\btools\b/.test(source);
    this.#names = { bos_token: tokens.begin, eos_token: tokens.end, add_generation_prompt: true };
    try {
      this.#template = new Template(source ?? transcript);
      rewriteStrips(this.#template.parsed);
    } catch (error) {
      throw new InputError(`chat template: cannot be read: ${(error as Error).message}`);
    }
  }

  /**
   * The text after which the assistant speaks, knowing the tools that it may call.
   * @param more other names that the template may know; its own go before them.
   * @throws InputError, with the template's words, if it refuses them.
   */
  render(messages: readonly ChatMessage[], tools: readonly Tool[] = [], more: Names = {}): string {
    const told = this.#takesTools ? messages : plainMessages(messages, tools);
    const offered = { tools: this.#takesTools && tools.length > 0 ? structuredClone(tools) : null }; // as transformers does
    try {
      const values = {
        ...structuredClone(more),
        ...this.#names,
        ...offered,
        [stripName]: stripCharacters,
        messages: structuredClone(told),
      };
      return withinTime(
        renderMs,
        () => this.#template.render(values),
        () => new Error("it does not come to an end"),
      );
    } catch (error) {
      throw InputError.at("messages", `the model's chat template refuses them: ${(error as Error).message}`);
    }
  }
}
