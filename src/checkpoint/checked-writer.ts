// Writes a safetensors file with its checksum in one pass, from tensors that come in pieces, so that a file may be larger
// than memory. Knows no models.

import { createHash } from "node:crypto";
import { AtomicFile } from "../files/atomic-file.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { blankChecksum, checksumPlace } from "./checksum.ts";
import { encodeHeader } from "./safetensors.ts";
import { bytesOf, isBlocks, type StoredType } from "./safetensors-header.ts";

/** A tensor that will be written, and its bytes in pieces. */
export interface WrittenTensor {
  readonly name: string;
  readonly stored: StoredType;
  readonly shape: readonly number[];
  bytes(): AsyncIterable<Uint8Array>;
}

/** How long work is watched and stopped. */
export interface Watch {
  /** Told how many of `total` bytes are taken. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that a tensor takes in a file. */
export function storedBytes({ shape, stored }: Pick<WrittenTensor, "shape" | "stored">): number {
  return bytesOf(stored, sizeOf(shape));
}

/** Bytes of all. */
export function totalBytes(tensors: readonly WrittenTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + storedBytes(tensor), 0);
}

/** The same tensors, which tell how many of their bytes are taken and give none after `signal`. */
export function watched(tensors: readonly WrittenTensor[], { onProgress, signal }: Watch): WrittenTensor[] {
  const total = totalBytes(tensors);
  let done = 0;
  return tensors.map((tensor) => ({
    ...tensor,
    async *bytes() {
      for await (const piece of tensor.bytes()) {
        signal?.throwIfAborted();
        yield piece;
        done += piece.length;
        onProgress?.(done, total);
      }
    },
  }));
}

/** Bytes after which the disk begins to write while more are read. */
const flushBytes = 1 << 26;

/**
 * Writes `tensors` to the file at `path`, which appears whole or not at all. Wide types come first; otherwise the order is
 * kept. The next piece is read while one is written.
 * @throws InputError if the disk is full, and whatever the tensors' bytes throw; TypeError if they are not as many as said.
 */
export async function writeChecked(
  path: string,
  tensors: readonly WrittenTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const widths = ({ stored }: WrittenTensor) => (isBlocks(stored) ? 1 : bytesOf(stored, 1));
  const ordered = tensors.toSorted((a, b) => widths(b) - widths(a));
  const header = encodeHeader(ordered, { ...metadata, ...blankChecksum });
  using file = new AtomicFile(path);
  const hash = createHash("sha256").update(header);
  file.write(header, 0);
  let at = header.length;
  let [flushing, flushedUntil] = [Promise.resolve(), 0];
  try {
    for (const tensor of ordered) {
      const end = at + storedBytes(tensor);
      for await (const piece of ahead(tensor.bytes())) {
        hash.update(piece);
        file.write(piece, at);
        at += piece.length;
        if (at - flushedUntil < flushBytes) continue;
        await flushing;
        flushing = file.flush();
        flushing.catch(() => {}); // it is awaited below
        flushedUntil = at;
      }
      if (at !== end) throw new TypeError(`${tensor.name}: ${end - at} bytes are missing`);
    }
  } finally {
    await flushing;
  }
  file.write(new TextEncoder().encode(hash.digest("hex")), checksumPlace(header));
  file.finish();
}

/** The same pieces; the next one is made while one is used. */
async function* ahead<Piece>(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece> {
  const from = pieces[Symbol.asyncIterator]();
  let next = from.next();
  for (;;) {
    const { done, value } = await next;
    if (done) return;
    next = from.next();
    next.catch(() => {}); // it is awaited in the next round
    yield value;
  }
}
