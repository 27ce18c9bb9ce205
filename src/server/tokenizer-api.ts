// POST /tokenize and GET /tokenizer_info, by vLLM's names: what evaluation harnesses ask of a server before they
// score by token ids. Knows no engine.

import { isDeepStrictEqual } from "node:util";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError } from "./api-error.ts";
import { modelOf } from "./model-lookup.ts";
import { readBody } from "./request-body.ts";
import type { ServedModel } from "./served-model.ts";
import type { ServedModels } from "./served-models.ts";
import { tokenizeReply } from "./tokenize-reply.ts";

/** The tokens of a text. */
export async function tokenize(http: Request, models: ServedModels, maxBody: number): Promise<Response> {
  const { request } = await readBody("tokenize", http, maxBody);
  const served = askedModel(request.model, models);
  const body = await tokenizeReply(served, {
    prompt: request.prompt,
    prefix: request.add_special_tokens ? served.tokenizer.prefix : [],
    texts: request.return_token_strs,
    context: served.card.config.context,
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** What a tokenizer is, in the words of `tokenizer_config.json`. */
export function tokenizerInfo(id: string | undefined, models: ServedModels): Response {
  const { tokenizer, template, card } = askedModel(id, models);
  const textOf = (token: number | undefined) => (token === undefined ? null : specialText(tokenizer, token));
  return Response.json({
    tokenizer_class: "PreTrainedTokenizerFast",
    bos_token: textOf(tokenizer.prefix.at(-1) ?? tokenizer.endOfText),
    eos_token: textOf(tokenizer.endOfText),
    pad_token: null,
    unk_token: null,
    chat_template: template.source ?? null,
    model_max_length: card.config.context,
    vocab_size: tokenizer.vocab,
  });
}

function specialText(tokenizer: Tokenizer, token: number): string {
  for (const [text, id] of tokenizer.special) if (id === token) return text;
  return tokenizer.decode([token]);
}

/** The model of this name; without one any, if all have the same tokenizer. @throws ApiError where that is not so. */
export function askedModel(id: string | undefined, models: ServedModels): ServedModel {
  if (id !== undefined) return modelOf(id, models);
  const [first, ...others] = models.all as [ServedModel, ...ServedModel[]];
  const other = others.find(({ tokenizer }) => !isDeepStrictEqual(tokenizer.json, first.tokenizer.json));
  if (!other) return first;
  throw new ApiError(
    400,
    `model: ${first.id} and ${other.id} have different tokenizers; name the model, or serve one`,
    {
      param: "model",
    },
  );
}
