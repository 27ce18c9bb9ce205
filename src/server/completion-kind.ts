// The two kinds of completion as one interface: how a body becomes prompts and options, and chunks become objects.

import type { GenerateOptions, Prompt, TokenLogprob } from "../generate/request.ts";
import { chatLogprobs, completionLogprobs, finishReasonOf, type Written } from "./answers.ts";
import type { BodyName } from "./body-schemas.ts";
import { type ChatRequest, chatOptions } from "./chat-request.ts";
import { type ChatText, callingText, messageOf, plainText } from "./chat-text.ts";
import { type CompletionRequest, completionOptions, promptsOf } from "./completion-request.ts";
import { askedFormat } from "./format-fields.ts";
import { chatText } from "./large-bodies.ts";
import type { ServedModel } from "./served-model.ts";
import { askedTools } from "./tool-fields.ts";

/** What is asked of the engine, and how its chunks are told. */
export interface Asked {
  readonly prompts: readonly Prompt[];
  readonly options: GenerateOptions;
  /** The field that asked for the texts' form, if one did. */
  readonly formatField?: string;
  /** Names of the objects: of a whole answer and of an event. */
  readonly objects: { readonly whole: string; readonly event: string };
  /** What a text begins with, before anything is written: one event if it streams. */
  opening(index: number, prompt: Written["promptLogprobs"]): object | undefined;
  /** What is new of a text, if that is to be told; `offset` counts the characters of the tokens that were told before. */
  delta(index: number, news: News, offset: number): object | undefined;
  /** A whole text. */
  choice(index: number, written: Written): object;
}

/** What a chunk adds. */
export interface News {
  readonly text: string;
  readonly logprobs: readonly TokenLogprob[];
  readonly finishReason: Written["finishReason"];
}

/** A kind of completion. */
export interface CompletionKind<Request> {
  readonly prefix: "cmpl" | "chatcmpl";
  readonly body: BodyName;
  /** @param large whether what depends on all of the request is work for another thread. */
  ask(request: Request, model: ServedModel, large: boolean): Asked | Promise<Asked>;
}

/** POST /v1/completions. */
export const textCompletion: CompletionKind<CompletionRequest> = {
  prefix: "cmpl",
  body: "completion",
  ask(request, model) {
    const { echo, n, logprobs } = request;
    const prompts = promptsOf(request);
    const echoed = (index: number): string => {
      if (!echo) return "";
      const prompt = prompts[Math.floor(index / n)] as Prompt;
      if (typeof prompt === "string") return prompt;
      return model.tokenizer.decode(prompt as Iterable<number>);
    };
    const wants = logprobs !== undefined;
    return {
      prompts,
      options: completionOptions(request),
      formatField: askedFormat(request)?.field,
      objects: { whole: "text_completion", event: "text_completion" },
      opening(index, prompt) {
        if (!echo) return undefined;
        const logprobs = wants ? completionLogprobs(prompt, 0, model.tokenizer) : null;
        return { index, text: echoed(index), logprobs, finish_reason: null };
      },
      delta: (index, { text, logprobs: news, finishReason }, offset) => ({
        index,
        text,
        logprobs: wants ? completionLogprobs(news, offset, model.tokenizer) : null,
        finish_reason: finishReasonOf(finishReason),
      }),
      choice: (index, written) => ({
        index,
        text: echoed(index) + written.text,
        logprobs: wants
          ? completionLogprobs([...written.promptLogprobs, ...written.logprobs], 0, model.tokenizer)
          : null,
        finish_reason: finishReasonOf(written.finishReason),
      }),
    };
  },
};

/** POST /v1/chat/completions. */
export const chatCompletion: CompletionKind<ChatRequest> = {
  prefix: "chatcmpl",
  body: "chat",
  async ask(request, model, large) {
    const { template, tokenizer } = model;
    const format = askedFormat(request);
    const tools = askedTools(request, template.toolForm, format);
    const chat = {
      messages: request.messages,
      tools: tools?.offered,
      names: request.chat_template_kwargs,
    };
    const text = await chatText(template, chat, large);
    const options = chatOptions(request);
    const stops = typeof options.stop === "string" ? [options.stop] : (options.stop ?? []);
    const logprobsOf = (list: readonly TokenLogprob[]) => (request.logprobs ? chatLogprobs(list, tokenizer) : null);
    const known = tools?.offered.map((tool) => tool.function);
    const newText = (): ChatText => (known ? callingText(template.toolForm, known) : plainText);
    const texts = Array.from({ length: request.n }, newText);
    return {
      prompts: [template.own ? { template: text } : text],
      options: {
        ...options,
        stop: [...stops, ...template.stop],
        ...(tools?.calls && { format: { toolCalls: tools.calls } }),
      },
      formatField: tools?.calls ? "tools" : format?.field,
      objects: { whole: "chat.completion", event: "chat.completion.chunk" },
      opening: (index) => ({
        index,
        delta: { role: "assistant", content: "", refusal: null },
        logprobs: null,
        finish_reason: null,
      }),
      delta: (index, { text: written, logprobs, finishReason }) => {
        const text = texts[index] as ChatText;
        const delta = text.delta(written, finishReason !== undefined);
        if (!finishReason && logprobs.length === 0 && Object.keys(delta).length === 0) return undefined;
        return { index, delta, logprobs: logprobsOf(logprobs), finish_reason: text.reason(finishReason) };
      },
      choice: (index, written) => {
        const text = newText();
        return {
          index,
          message: messageOf(text, written.text),
          logprobs: logprobsOf(written.logprobs),
          finish_reason: text.reason(written.finishReason),
        };
      },
    };
  },
};
