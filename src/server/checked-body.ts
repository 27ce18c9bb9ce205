// From a body to what a schema describes, or an error that names the field. What OpenAI's API knows and this server does not
// is refused by name, never ignored.

import type { z } from "zod";
import { ApiError } from "./api-error.ts";
import { adviceOn, isIdle, isRefused } from "./idle-fields.ts";

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

function unsupported(name: string, field: string): ApiError {
  const param = name.slice(0, 200);
  return new ApiError(400, `${param}: is not supported; ${adviceOn(field)}`, { param, code: "unsupported_parameter" });
}

function unknown(name: string): ApiError {
  const param = name.slice(0, 200);
  return new ApiError(400, `${param}: is not a field of this request`, { param, code: "unknown_parameter" });
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
