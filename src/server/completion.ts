// One completion: what was asked of which model, what has come of it, and its end, which is counted and noted once, however
// it comes. Knows neither bodies nor answers.

import type { z } from "zod";
import { InputError } from "../error.ts";
import type { Chunk, Usage } from "../generate/request.ts";
import { type AnswerHead, addChunk, answerHead, nothingWritten, usageOf, type Written } from "./answers.ts";
import { ApiError } from "./api-error.ts";
import type { chatRequest } from "./chat-request.ts";
import type { Asked, CompletionKind } from "./completion-kind.ts";
import type { completionRequest } from "./completion-request.ts";
import type { Finished, Metrics } from "./metrics.ts";
import type { ServedModel } from "./served-model.ts";
import { ModelsBusy, type ServedModels } from "./served-models.ts";
import { texts } from "./texts.ts";
import { ToldLogprobs } from "./told-logprobs.ts";

/** The checked body of either kind. */
export type AnyRequest = z.output<typeof completionRequest> | z.output<typeof chatRequest>;

/** What completions need of the server. */
export interface CompletionContext {
  readonly models: ServedModels;
  readonly metrics: Metrics;
  /** Most bytes of a body. */
  readonly maxBody: number;
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

/** What a completion is made of. */
export interface CompletionParts {
  readonly prefix: CompletionKind<AnyRequest>["prefix"];
  readonly request: AnyRequest;
  readonly asked: Asked;
  readonly model: ServedModel;
  readonly context: CompletionContext;
  /** When the request came, by `performance.now()`. */
  readonly arrival: number;
  /** Told when it has ended. */
  readonly note: (noted: Noted) => void;
}

/** A completion that finds a place in its model's queue, and keeps it until it ends. */
export class Completion {
  readonly head: AnswerHead;
  readonly request: AnyRequest;
  readonly asked: Asked;
  /** The API's `system_fingerprint`. */
  readonly fingerprint: string;
  /** The texts as far as they have come. */
  readonly written: readonly Written[];
  readonly #parts: CompletionParts;
  readonly #gone = new AbortController();
  readonly #logprobs: readonly ToldLogprobs[] | undefined; // of each text, where they are asked for
  #firstToken: number | undefined; // seconds from the arrival
  #ended = false;

  /** @throws ApiError where the queue has no place for its texts. */
  constructor(parts: CompletionParts) {
    const { prefix, request, asked, model } = parts;
    const count = asked.prompts.length * request.n;
    admit(model, count, parts.context);
    this.head = answerHead(prefix, model.id);
    this.request = request;
    this.asked = asked;
    this.fingerprint = model.fingerprint;
    this.written = Array.from({ length: count }, nothingWritten);
    this.#parts = parts;
    if (asked.options.logprobs !== undefined) {
      this.#logprobs = Array.from({ length: count }, () => new ToldLogprobs(model.tokenizer));
    }
  }

  /** Tokens of all texts so far. */
  get usage(): Usage {
    return usageOf(this.written, this.request.n);
  }

  /** Ends what is still being written: nobody waits for it. */
  abandon(): void {
    this.#gone.abort();
  }

  /** Asks the engine; what comes is written down and given. To be asked once. @throws what `apiError` makes one of. */
  async *chunks(): AsyncGenerator<Chunk, void> {
    const { model, context, arrival } = this.#parts;
    try {
      const engine = await context.models.engineOf(model).catch(unavailable(model));
      for await (const written of texts(engine, this.asked.prompts, this.asked.options, this.#gone.signal)) {
        const chunk = this.#logprobs?.[written.index]?.with(written) ?? written;
        if (chunk.tokens.length > 0) this.#firstToken ??= (performance.now() - arrival) / 1000;
        context.metrics.generated(model.id, chunk.tokens.length);
        addChunk(this.written[chunk.index] as Written, chunk);
        yield chunk;
      }
    } catch (error) {
      this.#end(error);
      throw this.#named(error);
    } finally {
      this.#end();
    }
  }

  /** The error, about the format by the field that asked for it. */
  #named(error: unknown): unknown {
    const { formatField: field } = this.asked;
    if (!(error instanceof InputError && error.option === "format" && error.problem && field)) return error;
    const { problem, code } = error;
    return InputError.at(field, problem, { code, cause: error });
  }

  #end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const { model, context, arrival, note, request } = this.#parts;
    model.requests -= this.written.length;
    const { promptTokens, completionTokens } = this.usage;
    const aborted = this.#gone.signal.aborted;
    const finished: Finished = {
      model: model.id,
      reason: error ? "error" : aborted ? "abort" : (this.written[0]?.finishReason ?? "abort"),
      promptTokens,
      completionTokens,
      longest: Math.max(...this.written.map(({ usage }) => usage.completionTokens)),
      firstToken: this.#firstToken,
      seconds: (performance.now() - arrival) / 1000,
    };
    context.metrics.finished(finished);
    note({ ...finished, stream: request.stream, user: request.user, ...(error !== undefined && { error }) });
  }
}

/** What a caller is told of a model that does not start; the log is told why. */
export function unavailable({ id }: ServedModel): (error: unknown) => never {
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
