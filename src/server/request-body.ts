// From the bytes of a request to what a schema describes, or an error that names the field. What OpenAI's API knows and
// this server does not is refused by name, never ignored.

import type { z } from "zod";
import { ApiError } from "./api-error.ts";

/** Fields of OpenAI's API that are understood and refused. */
const unsupported = new Set([
  "audio",
  "best_of",
  "function_call",
  "functions",
  "metadata",
  "modalities",
  "parallel_tool_calls",
  "prediction",
  "prompt_cache_key",
  "reasoning_effort",
  "safety_identifier",
  "service_tier",
  "store",
  "suffix",
  "tool_choice",
  "tools",
  "verbosity",
  "web_search_options",
]);

/** Most values of a body, beside numbers in arrays (token ids) and the format asked for. */
const mostValues = 4096;

/** The deepest nesting of a body. */
const mostLevels = 100;

/** Reads a JSON body. @throws ApiError: 415 for another type, 400 for what is no UTF-8 or no JSON object. */
export async function readBody(request: Request): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError(415, `content-type: must be application/json, found ${type || "none"}`);
  }
  const bytes = await request.arrayBuffer().catch((cause) => {
    if (cause instanceof ApiError) throw cause; // larger than the limit
    throw new ApiError(400, "body: ended before it was whole", { cause });
  });
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, "body: is not valid UTF-8");
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `body: is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ApiError(400, "body: must be a JSON object");
  }
  return body as Record<string, unknown>;
}

/** Checks a body by a schema; fields that are null count as absent. @throws ApiError naming the first wrong field. */
export function checkBody<Schema extends z.ZodObject>(
  schema: Schema,
  body: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const given = Object.entries(body).filter(([, value]) => value !== null);
  for (const [name] of given) {
    if (Object.hasOwn(schema.shape, name)) continue;
    const param = name.slice(0, 200);
    if (unsupported.has(name)) {
      throw new ApiError(400, `${param}: is not supported; leave it out`, { param, code: "unsupported_parameter" });
    }
    throw new ApiError(400, `${param}: is not a field of this request`, { param, code: "unknown_parameter" });
  }
  checkSize(body);
  const fields = Object.fromEntries(given);
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  const { path, issue } = furthestIssue(parsed.error.issues[0] as z.core.$ZodIssue, []);
  const where = fieldName(path);
  if (issue.code === "unrecognized_keys") {
    const name = fieldName([...path, issue.keys[0] as string]);
    throw new ApiError(400, `${name}: is not a field of this request`, { param: name, code: "unknown_parameter" });
  }
  const missing = issue.code === "invalid_type" && valueAt(fields, path) === undefined;
  const message = missing ? "must be given" : issue.message.slice(0, 300);
  throw new ApiError(400, `${where || "body"}: ${message}`, {
    ...(where && { param: where }),
    code: missing ? "missing_required_parameter" : "invalid_value",
  });
}

/**
 * Refuses what would take long to check: a schema finds every mistake before it tells the first. The format asked for is
 * checked by the engine, where nobody waits for it.
 */
function checkSize(body: Readonly<Record<string, unknown>>): void {
  let values = 0;
  const left: { value: unknown; field: string; depth: number }[] = Object.entries(body).map(([field, value]) => {
    return { value, field, depth: 1 };
  });
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, field, depth } = next;
    if (typeof value !== "object" || value === null) continue;
    if (depth > mostLevels) throw tooLarge(field, `is nested deeper than ${mostLevels} levels`);
    const isList = Array.isArray(value);
    for (const member of isList ? value : Object.values(value)) {
      if (isList && typeof member === "number") continue;
      if (field !== "response_format" && ++values > mostValues) {
        throw tooLarge(field, `the request has more than ${mostValues} values`);
      }
      left.push({ value: member, field, depth: depth + 1 });
    }
  }
}

function tooLarge(field: string, problem: string): ApiError {
  return new ApiError(400, `${field}: ${problem}`, { param: field, code: "invalid_value" });
}

/** Of the ways in which a value fits none of several schemas, the one that went furthest. */
function furthestIssue(
  issue: z.core.$ZodIssue,
  before: readonly PropertyKey[],
): { path: readonly PropertyKey[]; issue: z.core.$ZodIssue } {
  const path = [...before, ...issue.path];
  if (issue.code === "invalid_key" && issue.issues[0]) return { path, issue: issue.issues[0] };
  if (issue.code !== "invalid_union") return { path, issue };
  const inner = issue.errors.flatMap(([first]) => (first ? [furthestIssue(first, path)] : []));
  const furthest = inner.sort((a, b) => b.path.length - a.path.length)[0];
  return furthest && furthest.path.length > path.length ? furthest : { path, issue };
}

/** What a body has at a path; undefined, as JSON never is, if nothing. */
function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], body);
}

/** `messages[0].content`. */
function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("")
    .slice(0, 200);
}
