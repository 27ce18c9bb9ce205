// The bodies of POST /tokenize and /detokenize.

import { z } from "zod";

/** The field that names a model by which only a tokenizer is meant. */
const tokenizerModel = z
  .string()
  .optional()
  .meta({ description: "an id that GET /v1/models lists; needed where models have different tokenizers" });

/** Schema of the body of POST /tokenize. */
export const tokenizeRequest = z.strictObject({
  model: tokenizerModel,
  prompt: z.string().meta({ description: "the text; special tokens that it spells out count as such" }),
  add_special_tokens: z.boolean().default(true).meta({ description: "begin as the model's texts do" }),
  return_token_strs: z.boolean().default(false).meta({ description: "give the tokens' texts, too" }),
});

const isTokens = (value: unknown) => value instanceof Uint32Array || (Array.isArray(value) && value.every(isToken));
const isToken = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0;

/** Schema of the body of POST /detokenize. */
export const detokenizeRequest = z.strictObject({
  model: tokenizerModel,
  tokens: z
    .custom<readonly number[] | Uint32Array>(isTokens, "must be token ids: whole numbers from 0")
    .meta({ type: "array", items: { type: "integer", minimum: 0 } }),
});
