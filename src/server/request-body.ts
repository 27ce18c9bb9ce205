// From an HTTP request to what its body asks.

import { ApiError } from "./api-error.ts";
import { BodyRoom } from "./body-room.ts";
import type { BodyName } from "./body-schemas.ts";
import { type Read, readBytes } from "./large-bodies.ts";
import { serveSchema } from "./serve-options.ts";

/** Most bytes of a body where no other limit is given. */
const usualBytes = serveSchema.shape.maxBody.parse(undefined);

/**
 * Reads a JSON body and checks it by the schema of that name.
 * @throws ApiError: 415 for another type, 413 for one that is too large, 429 where many large ones are being received, 400
 * for what is not as it should be.
 */
export async function readBody<Name extends BodyName>(
  name: Name,
  request: Request,
  mostBytes = usualBytes,
): Promise<Read<Name>> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError(415, `content-type: must be application/json, found ${type || "none"}`);
  }
  const coding = request.headers.get("content-encoding") ?? "identity";
  if (!/^identity$/i.test(coding)) throw new ApiError(415, `content-encoding: must be none, found ${coding}`);
  const transfer = request.headers.get("transfer-encoding") ?? "chunked";
  if (!/^chunked$/i.test(transfer)) throw new ApiError(400, `transfer-encoding: must be chunked, found ${transfer}`);
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > mostBytes) throw tooLarge(mostBytes);
  using room = new BodyRoom();
  if (!room.grow(declared, mostBytes)) throw noRoom();
  const isChunked = request.headers.has("transfer-encoding");
  const whole = isChunked ? readWithin(request, mostBytes, room) : request.arrayBuffer();
  const bytes = await whole.catch((cause) => {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError(400, "body: ended before it was whole", { cause });
  });
  return await readBytes(name, bytes); // which has its room until then
}

/** Bytes that do not say how many they are. */
async function readWithin(request: Request, mostBytes: number, room: BodyRoom): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge(mostBytes);
    if (!room.grow(size, mostBytes)) throw noRoom();
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

function noRoom(): ApiError {
  return new ApiError(429, "body: too many large ones are being sent; come again in a second", {
    code: "rate_limit_exceeded",
    headers: { "retry-after": "1", connection: "close" },
  });
}

function tooLarge(mostBytes: number): ApiError {
  const headers = { connection: "close" }; // the rest of the body is not read
  return new ApiError(413, `body: is larger than the ${mostBytes} bytes that this server takes`, { headers });
}
