// The schemas of bodies, by the names that one thread calls them to another.

import type { z } from "zod";
import { chatRequest } from "./chat-request.ts";
import { completionRequest } from "./completion-request.ts";
import { detokenizeRequest, tokenizeRequest } from "./tokenizer-request.ts";

/** By name. */
export const bodySchemas = {
  completion: completionRequest,
  chat: chatRequest,
  tokenize: tokenizeRequest,
  detokenize: detokenizeRequest,
} as const;

export type BodyName = keyof typeof bodySchemas;

/** What a schema makes of a body. */
export type CheckedBody<Name extends BodyName> = z.output<(typeof bodySchemas)[Name]>;
