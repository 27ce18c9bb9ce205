// From a request to the JSON object in its body.

import { ApiError } from "./api-error.ts";
import { BodyError, jsonBody } from "./json-body.ts";
import { serveSchema } from "./serve-options.ts";

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

function wrong(param: string) {
  return { param, code: "invalid_value" };
}
