// POST /detokenize, as vLLM has it: the text of token ids.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Tokenizer } from "../text/tokenizer.ts";
import { ApiError } from "./api-error.ts";
import { readBody } from "./request-body.ts";
import type { ServedModels } from "./served-models.ts";
import { askedModel } from "./tokenizer-api.ts";

/** Tokens between which others are served. */
const tokensAtOnce = 4096;

/** Answers a request. @throws ApiError */
export async function detokenize(http: Request, models: ServedModels, maxBody: number): Promise<Response> {
  const { model, tokens } = (await readBody("detokenize", http, maxBody)).request;
  const body = await replyOf(tokens, askedModel(model, models).tokenizer);
  return new Response(body, { headers: { "content-type": "application/json" } });
}

/** `{"prompt": …}` in UTF-8, a piece at a time. */
async function replyOf(tokens: ArrayLike<number>, tokenizer: Tokenizer): Promise<Uint8Array<ArrayBuffer>> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const written = [Buffer.from('{"prompt":"')];
  for (let start = 0; start < tokens.length; start += tokensAtOnce) {
    const end = Math.min(start + tokensAtOnce, tokens.length);
    const bytes: Uint8Array[] = [];
    for (let i = start; i < end; i++) bytes.push(bytesOf(tokens[i] as number, i, tokenizer));
    const text = decoder.decode(Buffer.concat(bytes), { stream: end < tokens.length });
    written.push(Buffer.from(JSON.stringify(text).slice(1, -1)));
    await nextTurn();
  }
  return Buffer.concat([...written, Buffer.from('"}')]);
}

function bytesOf(id: number, i: number, tokenizer: Tokenizer): Uint8Array {
  if (id < tokenizer.vocab) return tokenizer.bytesOf(id);
  const problem = `token ${i} is ${id}; ids are 0 to ${tokenizer.vocab - 1}`;
  throw new ApiError(400, `tokens: ${problem}`, { param: "tokens", code: "invalid_value" });
}
