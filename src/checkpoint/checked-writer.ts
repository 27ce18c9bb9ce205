// Writes a safetensors file that knows its checksum, in one pass, from tensors that come in pieces: what is larger than
// memory can be written so. Knows no models.

import { createHash } from "node:crypto";
import { AtomicFile } from "../files/atomic-file.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { blankChecksum, checksumPlace } from "./checksum.ts";
import { encodeHeader } from "./safetensors.ts";
import { type StoredType, storedTypes } from "./safetensors-header.ts";

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
  return sizeOf(shape) * storedTypes[stored].bytes;
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
  const widths = ({ stored }: WrittenTensor) => storedTypes[stored].bytes;
  const ordered = tensors.toSorted((a, b) => widths(b) - widths(a));
  const header = encodeHeader(ordered, { ...metadata, ...blankChecksum });
  using file = new AtomicFile(path);
  const hash = createHash("sha256").update(header);
  file.write(header, 0);
  let at = header.length;
  for (const tensor of ordered) {
    const end = at + storedBytes(tensor);
    const pieces = tensor.bytes()[Symbol.asyncIterator]();
    let next = pieces.next();
    next.catch(() => {}); // it is awaited below
    for (;;) {
      const { done, value } = await next;
      if (done) break;
      next = pieces.next();
      next.catch(() => {});
      hash.update(value);
      file.write(value, at);
      at += value.length;
    }
    if (at !== end) throw new TypeError(`${tensor.name}: ${end - at} bytes are missing`);
  }
  file.write(new TextEncoder().encode(hash.digest("hex")), checksumPlace(header));
  file.finish();
}
