// The body of POST /v1/completions.

import { z } from "zod";
import { type GenerateOptions, generateSchema, type Prompt } from "../generate/request.ts";
import { ApiError } from "./api-error.ts";
import { commonFields, optionsOf } from "./request-fields.ts";

/** Most prompts of a request. */
const mostPrompts = 128;

const isTokens = (value: unknown) =>
  value instanceof Uint32Array // as a large body has them
    ? value.length > 0
    : Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id) && id >= 0);
const isText = (value: unknown) => typeof value === "string";

/** Checked in one go, for there may be very many tokens. */
function isPrompt(value: unknown): boolean {
  if (value === null || isText(value) || isTokens(value)) return true;
  if (!Array.isArray(value) || value.length === 0 || value.length > mostPrompts) return false;
  return value.every(isText) || value.every(isTokens);
}

const text = { type: "string" } as const;
const tokens = { type: "array", items: { type: "integer", minimum: 0 }, minItems: 1 } as const;
const severalOf = (items: object) => ({ type: "array", items, minItems: 1, maxItems: mostPrompts }) as const;

/** Schema of the body. */
export const completionRequest = z.strictObject({
  ...commonFields,
  prompt: z
    .custom<null | string | Uint32Array | string[] | number[] | (number[] | Uint32Array)[]>(
      isPrompt,
      `must be a text, token ids (whole numbers from 0), or an array of up to ${mostPrompts} of either`,
    )
    .meta({
      description: "what to go on from: text, token ids, or several of either; null begins a new document",
      anyOf: [text, tokens, severalOf(text), severalOf(tokens), { type: "null" }],
    }),
  max_tokens: z
    .int()
    .min(0)
    .optional()
    .meta({ description: `${commonFields.max_tokens.description}; 0 only scores the prompt, with echo and logprobs` }),
  add_special_tokens: z
    .literal(true, "must be true: a text begins as the model's texts do; give token ids otherwise")
    .optional(),
  echo: z.boolean().default(false).meta({ description: "give the prompt back before what was written" }),
  logprobs: generateSchema.shape.logprobs.meta({
    description: "log-probabilities of the tokens, with echo of the prompt's too, and of so many of the likeliest",
  }),
});

export type CompletionRequest = z.output<typeof completionRequest>;

/** The prompts, one or several. */
export function promptsOf({ prompt }: CompletionRequest): Prompt[] {
  if (prompt === null) return [""];
  if (typeof prompt === "string" || prompt instanceof Uint32Array) return [prompt];
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as Prompt[]);
}

/** The engine's options. @throws ApiError for what cannot be had together. */
export function completionOptions(request: CompletionRequest): GenerateOptions {
  const { echo, logprobs, max_tokens: most } = request;
  const scored = echo && logprobs !== undefined;
  if (most === 0 && !scored) {
    throw new ApiError(
      400,
      "max_tokens: must be 1 or more, found 0; with echo and logprobs 0 scores the prompt alone",
      {
        param: "max_tokens",
      },
    );
  }
  return { ...optionsOf(request), logprobs, ...(scored && { promptLogprobs: logprobs }) };
}
