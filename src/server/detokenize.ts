// POST /detokenize, as vLLM has it: the text of token ids.

import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { Detokenizer } from "../text/detokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError } from "./api-error.ts";
import { modelOf } from "./model-lookup.ts";
import { checkBody, readBody } from "./request-body.ts";
import type { ServedModels } from "./served-models.ts";

/** Tokens between which others are served. */
const tokensAtOnce = 8192;

const isTokens = (value: unknown) => value instanceof Uint32Array || (Array.isArray(value) && value.every(isToken));
const isToken = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0;

/** Schema of the body. */
export const detokenizeRequest = z.strictObject({
  model: z.string().meta({ description: "an id that GET /v1/models lists" }),
  tokens: z
    .custom<readonly number[] | Uint32Array>(isTokens, "must be token ids: whole numbers from 0")
    .meta({ type: "array", items: { type: "integer", minimum: 0 } }),
});

/** Answers a request. @throws ApiError */
export async function detokenize(http: Request, models: ServedModels, maxBody: number): Promise<Response> {
  const { model, tokens } = checkBody(detokenizeRequest, await readBody(http, maxBody));
  return Response.json({ prompt: await textOf(tokens, modelOf(model, models).tokenizer) });
}

async function textOf(tokens: ArrayLike<number>, tokenizer: Tokenizer): Promise<string> {
  const text = new Detokenizer(tokenizer);
  const pieces: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i] as number;
    if (id >= tokenizer.vocab) {
      const problem = `token ${i} is ${id}; ids are 0 to ${tokenizer.vocab - 1}`;
      throw new ApiError(400, `tokens: ${problem}`, { param: "tokens", code: "invalid_value" });
    }
    pieces.push(text.push(id));
    if ((i + 1) % tokensAtOnce === 0) await nextTurn();
  }
  return pieces.join("") + text.end();
}
