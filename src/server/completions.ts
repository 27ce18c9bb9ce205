// Both completion endpoints: a body is read and checked, becomes a completion, and is told whole or as events.

import { type AnyRequest, Completion, type CompletionContext, type Noted } from "./completion.ts";
import type { CompletionKind } from "./completion-kind.ts";
import { tellEvents, tellWhole } from "./completion-tellers.ts";
import { modelOf } from "./model-lookup.ts";
import { readBody } from "./request-body.ts";

/** Answers a completion; `note` is told when it has ended. @throws ApiError, or what `apiError` makes one of. */
export async function complete<Request extends AnyRequest>(
  kind: CompletionKind<Request>,
  http: globalThis.Request,
  context: CompletionContext,
  note: (noted: Noted) => void,
): Promise<Response> {
  const arrival = performance.now();
  const { request: checked, large } = await readBody(kind.body, http, context.maxBody);
  const request = checked as Request;
  const model = modelOf(request.model, context.models);
  const asked = await kind.ask(request, model, large);
  const completion = new Completion({ prefix: kind.prefix, request, asked, model, context, arrival, note });
  http.signal.addEventListener("abort", () => completion.abandon());
  return request.stream ? tellEvents(completion, context.patience) : tellWhole(completion);
}
