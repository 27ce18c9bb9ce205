// Both completion endpoints: a body is checked, admitted, generated and told whole or as a stream, and counted when it ends,
// however it ends.

import type { z } from "zod";
import type { Chunk } from "../generate/request.ts";
import {
  type AnswerHead,
  addChunk,
  answerHead,
  nothingWritten,
  usageObject,
  usageOf,
  type Written,
} from "./answers.ts";
import { ApiError, apiError } from "./api-error.ts";
import type { chatRequest } from "./chat-request.ts";
import type { Asked, CompletionKind } from "./completion-kind.ts";
import type { completionRequest } from "./completion-request.ts";
import { eventStream, eventStreamHeaders } from "./event-stream.ts";
import type { Finished, Metrics } from "./metrics.ts";
import { modelOf } from "./model-lookup.ts";
import { checkBody, readBody } from "./request-body.ts";
import type { ServedModel } from "./served-model.ts";
import { ModelsBusy, type ServedModels } from "./served-models.ts";
import { texts } from "./texts.ts";

/** The checked body of either kind. */
export type AnyRequest = z.output<typeof completionRequest> | z.output<typeof chatRequest>;

/** What completions need of the server. */
export interface CompletionContext {
  readonly models: ServedModels;
  readonly metrics: Metrics;
  /** Most texts of a model that run or wait; more are told to come again. */
  readonly maxQueue: number;
  /** Milliseconds in which a reader must take what was sent. */
  readonly patience: number;
}

/** What the log says of a completion. */
export type Noted = Finished & {
  readonly stream: boolean;
  readonly user: string | undefined;
  readonly error?: unknown;
};

/** Answers a completion; `note` is told when it has ended. @throws ApiError, or what `apiError` makes one of. */
export async function complete<Request extends AnyRequest>(
  kind: CompletionKind<Request>,
  http: globalThis.Request,
  context: CompletionContext,
  note: (noted: Noted) => void,
): Promise<Response> {
  const arrival = performance.now();
  const request = checkBody(kind.schema, await readBody(http)) as Request;
  const model = modelOf(request.model, context.models);
  const asked = kind.ask(request, model);
  const count = asked.prompts.length * request.n;
  admit(model, count, context);
  const written = Array.from({ length: count }, nothingWritten);
  const gone = new AbortController();
  http.signal.addEventListener("abort", () => gone.abort());
  let firstToken: number | undefined;
  let ended = false;
  const end = (error?: unknown) => {
    if (ended) return;
    ended = true;
    model.requests -= count;
    const { promptTokens, completionTokens } = usageOf(written, request.n);
    const reason = error ? "error" : gone.signal.aborted ? "abort" : (written[0]?.finishReason ?? "abort");
    const seconds = (performance.now() - arrival) / 1000;
    const longest = Math.max(...written.map(({ usage }) => usage.completionTokens));
    const tokens = { promptTokens, completionTokens, longest };
    const finished = { model: model.id, reason, ...tokens, firstToken, seconds } as const;
    context.metrics.finished(finished);
    note({ ...finished, stream: request.stream, user: request.user, ...(error !== undefined && { error }) });
  };
  const chunks = async function* () {
    try {
      const engine = await context.models.engineOf(model).catch(unavailable(model));
      for await (const chunk of texts(engine, asked.prompts, asked.options, gone.signal)) {
        if (chunk.tokens.length > 0) firstToken ??= (performance.now() - arrival) / 1000;
        context.metrics.generated(model.id, chunk.tokens.length);
        yield chunk;
      }
    } catch (error) {
      end(error);
      void model.recover().catch(() => {}); // who asks next is told why it does not start
      throw error;
    } finally {
      end();
    }
  };
  const head = answerHead(kind.prefix, model.id);
  const source = chunks();
  if (!request.stream) {
    for await (const chunk of source) addChunk(written[chunk.index] as Written, chunk);
    return Response.json({
      ...head,
      object: asked.objects.whole,
      choices: written.map((text, index) => asked.choice(index, text)),
      usage: usageObject(usageOf(written, request.n)),
      system_fingerprint: null,
    });
  }
  // The first chunk is awaited, so that what is wrong with a request is told by its status.
  const first = await source.next();
  const events = streamEvents({ asked, head, request, written }, first, source);
  const onGone = () => {
    gone.abort();
    void events.return(); // a stream that nobody began to read has nobody else to end it
    void source.return();
  };
  return new Response(eventStream(events, { patience: context.patience, onGone }), { headers: eventStreamHeaders });
}

/** The events of a stream, without their `data:`. */
async function* streamEvents(
  { asked, head, request, written }: { asked: Asked; head: AnswerHead; request: AnyRequest; written: Written[] },
  first: IteratorResult<Chunk, void>,
  source: AsyncGenerator<Chunk, void>,
): AsyncGenerator<string, void> {
  const { include_usage: last = false, continuous_usage_stats: always = false } = request.stream_options ?? {};
  const usage = () => usageObject(usageOf(written, request.n));
  // There is an event for every token of everybody: what is the same in all of them is written once.
  const same = JSON.stringify({ ...head, object: asked.objects.event, system_fingerprint: null }).slice(0, -1);
  const event = (choice: object) => {
    const used = always ? `,"usage":${JSON.stringify(usage())}` : last ? ',"usage":null' : "";
    return `${same},"choices":[${JSON.stringify(choice)}]${used}}`;
  };
  const opened = new Set<number>();
  const offsets = written.map(() => 0); // characters of the tokens told
  try {
    for (let next = first; !next.done; next = await source.next()) {
      const { index, text, logprobs = [], finishReason } = next.value;
      addChunk(written[index] as Written, next.value);
      if (!opened.has(index)) {
        opened.add(index);
        const opening = asked.opening(index);
        if (opening) yield event(opening);
      }
      if (text === "" && logprobs.length === 0 && !finishReason) continue; // part of a character, or of a stop text
      yield event(asked.delta(index, { text, logprobs, finishReason }, offsets[index] as number));
      for (const token of logprobs) offsets[index]! += token.text.length;
    }
    if (last) yield JSON.stringify({ ...head, object: asked.objects.event, choices: [], usage: usage() });
  } catch (error) {
    yield JSON.stringify(apiError(error).body);
  } finally {
    await source.return();
  }
  yield "[DONE]";
}

/** What a caller is told of a model that does not start; the log is told why. */
function unavailable({ id }: ServedModel): (error: unknown) => never {
  return (error) => {
    if (error instanceof ModelsBusy) throw busy(error.message);
    throw new ApiError(503, `model: ${id} cannot be loaded now; the server's log says why`, {
      param: "model",
      cause: error,
    });
  };
}

/** Counts a request's texts in, if they find a place. */
function admit(model: ServedModel, count: number, { maxQueue, metrics }: CompletionContext): void {
  if (count > maxQueue) {
    throw new ApiError(400, `n: ${count} texts were asked for; this server takes ${maxQueue} at a time`, {
      param: "n",
    });
  }
  if (model.requests + count > maxQueue) {
    metrics.rejected(model.id);
    throw busy(`${model.id} has ${model.requests} texts to write and takes ${maxQueue}`);
  }
  model.requests += count;
}

function busy(message: string): ApiError {
  return new ApiError(429, `${message}; come again in a second`, {
    code: "rate_limit_exceeded",
    headers: { "retry-after": "1" },
  });
}
