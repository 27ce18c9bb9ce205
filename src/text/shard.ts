// Token ids on disk, read where they are needed. Opening checks every byte against the checksum. Knows no tokenizer
// and no batches.

import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { InputError } from "../error.ts";
import { checkEnds } from "../files/regular-file.ts";
import { checkedHeaderBytes, decodeHeader, headerBytes, rowBytes, rowsAt, type ShardHeader } from "./shard-header.ts";
import type { TextSize } from "./shard-writer.ts";

/** A document of a shard: its tokens, as they were appended, and the size of its text. */
export interface ShardDocument extends TextSize {
  readonly tokens: Int32Array;
}

/** An open shard. Dispose of it to close its file. */
export interface Shard extends ShardHeader, Disposable {
  readonly path: string;
  /** sha256 of its content. */
  readonly digest: string;
  /** `count` token ids from token `start` on. Throws a RangeError beyond the end. */
  read(start: number, count: number): Int32Array;
  /** Document `index`. Throws a RangeError where there is none. */
  document(index: number): ShardDocument;
}

/**
 * Opens a shard.
 * @throws InputError where the file is missing, is no shard, or has a byte that is not as written.
 */
export async function openShard(path: string): Promise<Shard> {
  const { header, digest } = await checkedHeader(path);
  const rows = rowsAt(header);
  const file = openSync(path, "r");
  const bytesAt = (at: number, length: number): Buffer => {
    const buffer = Buffer.from(new ArrayBuffer(length)); // not pooled: aligned for any element size
    for (let done = 0; done < length; ) {
      const got = readSync(file, buffer, done, length - done, at + done);
      if (got === 0) throw new InputError(`${path}: the file became shorter while it was open; prepare the data again`);
      done += got;
    }
    return buffer;
  };
  const read = (start: number, count: number): Int32Array => {
    if (!Number.isInteger(start) || start < 0 || !(count >= 0) || start + count > header.tokens) {
      throw new RangeError(`shard: tokens ${start} to ${start + count} of ${header.tokens}`);
    }
    const { buffer } = bytesAt(headerBytes + start * header.bytesPerToken, count * header.bytesPerToken);
    return header.bytesPerToken === 2 ? Int32Array.from(new Uint16Array(buffer)) : new Int32Array(buffer);
  };
  const document = (index: number): ShardDocument => {
    if (!Number.isInteger(index) || index < 0 || index >= header.documents) {
      throw new RangeError(`shard: document ${index} of ${header.documents}`);
    }
    const isLast = index === header.documents - 1;
    const row = bytesAt(rows + index * rowBytes, (isLast ? 1 : 2) * rowBytes);
    const first = Number(row.readBigUInt64LE(0));
    const end = isLast ? header.tokens : Number(row.readBigUInt64LE(rowBytes));
    return { tokens: read(first, end - first), bytes: row.readUInt32LE(8), words: row.readUInt32LE(12) };
  };
  let closed = false;
  return {
    ...header,
    path,
    digest,
    read,
    document,
    [Symbol.dispose]() {
      if (!closed) closeSync(file);
      closed = true;
    },
  };
}

async function checkedHeader(path: string): Promise<{ header: ShardHeader; digest: string }> {
  checkEnds(path);
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new InputError(`${path}: no such token shard; prepare the data first`, { cause });
  });
  try {
    const start = Buffer.alloc(headerBytes);
    const { size } = await file.stat();
    await file.read(start, 0, headerBytes, 0);
    const header = decodeHeader(start, size, path);
    const hash = createHash("sha256");
    for await (const chunk of file.createReadStream({ start: headerBytes, autoClose: false, highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
    }
    hash.update(start.subarray(0, checkedHeaderBytes));
    const digest = hash.digest();
    if (!digest.equals(start.subarray(checkedHeaderBytes))) {
      throw new InputError(`${path}: its checksum does not match, so it is damaged; prepare the data again`);
    }
    return { header, digest: digest.toString("hex") };
  } finally {
    await file.close();
  }
}
