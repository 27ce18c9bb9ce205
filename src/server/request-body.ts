// From the bytes of a request to what a schema describes, or an error that names the field. What OpenAI's API knows and
// this server does not is refused by name, never ignored.

import type { z } from "zod";
import { ApiError } from "./api-error.ts";
import { adviceOn, isIdle, isRefused } from "./idle-fields.ts";
import { BodyError, jsonBody } from "./json-body.ts";
import { serveSchema } from "./serve-options.ts";

/** Fields whose value is taken as it is, for null means something in it: JSON schemas, and what is only handed on. */
const asItIs = new Set([
  "schema",
  "parameters",
  "json",
  "guided_json",
  "metadata",
  "chat_template_kwargs",
  "prompt",
  "tokens",
]);

/** Most bytes of a body where no other limit is given. */
const usualBytes = serveSchema.shape.maxBody.parse(undefined);

/**
 * Reads a JSON body.
 * @throws ApiError: 415 for another type, 413 for one that is too large, 400 for what is no UTF-8 or no JSON object.
 */
export async function readBody(request: Request, mostBytes = usualBytes): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError(415, `content-type: must be application/json, found ${type || "none"}`);
  }
  const coding = request.headers.get("content-encoding") ?? "identity";
  if (!/^identity$/i.test(coding)) throw new ApiError(415, `content-encoding: must be none, found ${coding}`);
  const transfer = request.headers.get("transfer-encoding") ?? "chunked";
  if (!/^chunked$/i.test(transfer)) throw new ApiError(400, `transfer-encoding: must be chunked, found ${transfer}`);
  if (Number(request.headers.get("content-length") ?? 0) > mostBytes) throw tooLarge(mostBytes);
  const whole = request.headers.has("transfer-encoding") ? readWithin(request, mostBytes) : request.arrayBuffer();
  const bytes = await whole.catch((cause) => {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError(400, "body: ended before it was whole", { cause });
  });
  return jsonBody(bytes).catch((error) => {
    if (!(error instanceof BodyError)) throw error;
    const { message, field } = error;
    throw new ApiError(400, `${field ?? "body"}: ${message}`, field === undefined ? {} : wrong(field));
  });
}

/** Checks a body by a schema; fields that are null count as absent, at any depth. @throws ApiError naming the first wrong field. */
export function checkBody<Schema extends z.ZodObject>(
  schema: Schema,
  body: Readonly<Record<string, unknown>>,
): z.output<Schema> {
  const fields = withoutNulls(body, true) as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries(fields)) {
    const field = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
    if ((!field || isIdle(field)) && isRefused(name, value)) throw unsupported(name, name);
    if (!field) throw unknown(name);
  }
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  const { path, issue } = furthestIssue(parsed.error.issues[0] as z.core.$ZodIssue, []);
  const where = fieldName(path);
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys as [string];
    const name = fieldName([...path, key]);
    throw isRefused(key, undefined) ? unsupported(name, key) : unknown(name);
  }
  const missing = issue.code === "invalid_type" && valueAt(fields, path) === undefined;
  const message = missing ? "must be given" : issue.message.slice(0, 300);
  throw new ApiError(400, `${where || "body"}: ${message}`, {
    ...(where && { param: where }),
    code: missing ? "missing_required_parameter" : "invalid_value",
  });
}

/** Bytes that do not say how many they are. */
async function readWithin(request: Request, mostBytes: number): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge(mostBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.buffer;
}

function tooLarge(mostBytes: number): ApiError {
  const headers = { connection: "close" }; // the rest of the body is not read
  return new ApiError(413, `body: is larger than the ${mostBytes} bytes that this server takes`, { headers });
}

function unsupported(name: string, field: string): ApiError {
  const param = name.slice(0, 200);
  return new ApiError(400, `${param}: is not supported; ${adviceOn(field)}`, { param, code: "unsupported_parameter" });
}

function unknown(name: string): ApiError {
  const param = name.slice(0, 200);
  return new ApiError(400, `${param}: is not a field of this request`, { param, code: "unknown_parameter" });
}

function wrong(param: string) {
  return { param, code: "invalid_value" };
}

/** A value without members that are null, which clients send for what they leave out. */
function withoutNulls(value: unknown, isBody = false): unknown {
  if (Array.isArray(value)) return value.map((member) => withoutNulls(member));
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const members = Object.entries(value).filter(([name, member]) => member !== null || (isBody && name === "prompt"));
  const kept = (name: string) => asItIs.has(name) || (isBody && name === "json_schema");
  return Object.fromEntries(members.map(([name, member]) => [name, kept(name) ? member : withoutNulls(member)]));
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
