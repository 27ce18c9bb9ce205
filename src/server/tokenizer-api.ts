// POST /tokenize and GET /tokenizer_info, by vLLM's names: what evaluation harnesses ask of a server before they
// score by token ids. Knows no engine.

import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError } from "./api-error.ts";
import { modelOf } from "./model-lookup.ts";
import { checkBody, readBody } from "./request-body.ts";
import type { ServedModel } from "./served-model.ts";
import type { ServedModels } from "./served-models.ts";
import { tokenizeReply } from "./tokenize-reply.ts";

/** The field that names a model by which only a tokenizer is meant. */
export const tokenizerModel = z
  .string()
  .optional()
  .meta({ description: "an id that GET /v1/models lists; needed where models have different tokenizers" });

/** Body of POST /tokenize. */
export const tokenizeRequest = z.strictObject({
  model: tokenizerModel,
  prompt: z.string().meta({ description: "the text; special tokens that it spells out count as such" }),
  add_special_tokens: z.boolean().default(true).meta({ description: "begin as the model's texts do" }),
  return_token_strs: z.boolean().default(false).meta({ description: "give the tokens' texts, too" }),
});

/** The tokens of a text. */
export async function tokenize(http: Request, models: ServedModels, maxBody: number): Promise<Response> {
  const request = checkBody(tokenizeRequest, await readBody(http, maxBody));
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
