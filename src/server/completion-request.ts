// The body of POST /v1/completions.

import { z } from "zod";
import type { GenerateOptions, Prompt } from "../engine/request.ts";
import { ApiError } from "./api-error.ts";
import { commonFields, optionsOf } from "./request-fields.ts";

const tokens = z.array(z.int().min(0)).min(1);

/** Schema of the body. */
export const completionRequest = z.strictObject({
  ...commonFields,
  prompt: z
    .union([z.string(), tokens, z.array(z.string()).min(1).max(128), z.array(tokens).min(1).max(128)], {
      error: "must be a text, token ids, or an array of either",
    })
    .meta({ description: "what to go on from: text, token ids, or several of either" }),
  echo: z.boolean().default(false).meta({ description: "give the prompt back before what was written" }),
  logprobs: z
    .int()
    .min(0)
    .max(20)
    .optional()
    .meta({ description: "log-probabilities of the tokens, and of so many of the likeliest" }),
});

export type CompletionRequest = z.output<typeof completionRequest>;

/** The prompts, one or several. */
export function promptsOf({ prompt }: CompletionRequest): Prompt[] {
  if (typeof prompt === "string") return [prompt];
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as Prompt[]);
}

/** The engine's options. @throws ApiError for what cannot be had together. */
export function completionOptions(request: CompletionRequest): GenerateOptions {
  if (request.echo && request.logprobs !== undefined) {
    throw new ApiError(400, "echo: log-probabilities of a prompt are not supported; leave out echo or logprobs", {
      param: "echo",
      code: "unsupported_parameter",
    });
  }
  return { ...optionsOf(request), logprobs: request.logprobs };
}
