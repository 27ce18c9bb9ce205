// Errors as the OpenAI API tells them: a status and {"error": {message, type, param, code}}. What is not a caller's
// mistake keeps its details to itself.

import { InputError } from "../error.ts";
import { EngineCrash } from "../generate/engine.ts";
import { fieldOf } from "./field-names.ts";

/** What the body of an error says. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The field that is wrong. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** Such an error as data, for another thread. */
export interface ApiErrorData {
  readonly status: keyof typeof types;
  readonly message: string;
  readonly param?: string;
  readonly code?: string;
}

/** Statuses that are used, with OpenAI's names for what went wrong. */
const types = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "invalid_request_error",
  405: "invalid_request_error",
  408: "invalid_request_error",
  413: "invalid_request_error",
  415: "invalid_request_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
} as const;

/** An answer that says no. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: keyof typeof types;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: keyof typeof types,
    message: string,
    details: { param?: string; code?: string; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.status = status;
    this.param = details.param ?? null;
    this.code = details.code ?? null;
    this.headers = details.headers ?? {};
  }

  /** The error that data stands for. */
  static of({ status, message, ...details }: ApiErrorData): ApiError {
    return new ApiError(status, message, details);
  }

  /** The error as data, without headers. */
  get data(): ApiErrorData {
    const { status, message, param, code } = this;
    return { status, message, ...(param !== null && { param }), ...(code !== null && { code }) };
  }

  /** The error's body. */
  get body(): ErrorBody {
    const { message, param, code } = this;
    return { error: { message, type: types[this.status], param, code } };
  }

  /** The error as an answer. */
  get response(): Response {
    return Response.json(this.body, { status: this.status, headers: this.headers });
  }
}

/** What any error is to a caller: a mistake of theirs, or ours, of which they learn no more than that. */
export function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof InputError) {
    const { message, option, problem, code } = error;
    const param = option === undefined ? undefined : fieldOf(option);
    const words = param === undefined || problem === undefined ? message : `${param}: ${problem}`;
    return new ApiError(400, error.inWordsOf(fieldOf, words), { param, code });
  }
  if (error instanceof EngineCrash) {
    return new ApiError(503, "the engine's process ended and is being started anew; ask again", {
      headers: { "retry-after": "2" },
    });
  }
  return new ApiError(500, "the server failed at this request; its log says more");
}
