// Bytes that lie somewhere (on disk, in memory, on the hub, at a URL) and are read in ranges. Knows no formats.

import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { InputError } from "../error.ts";
import { fileError } from "./file-error.ts";
import { checkEnds } from "./regular-file.ts";

/** Bytes that are read in ranges, wherever they lie. */
export interface ByteSource {
  /** What messages call it. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** The bytes from `start` up to `end`, in memory of their own. @throws InputError if the source ends before. */
  read(start: number, end: number): Promise<ArrayBuffer>;
}

/** A file, wherever it is: a stream of bytes too. */
export interface StoredFile extends ByteSource {
  stream(): AsyncIterable<Uint8Array>;
}

/** A source that holds something open. */
export interface OpenByteSource extends ByteSource, AsyncDisposable {}

const largestRead = 2 ** 28; // bytes; the system gives less than 2 GiB at once

/** A file on disk of `size` bytes, opened whenever it is read. */
export function localFile(path: string, size: number): StoredFile {
  return {
    name: path,
    size,
    async read(start, end) {
      await using file = await openFile(path);
      return await file.read(start, end);
    },
    stream: () => createReadStream(path, { highWaterMark: 1 << 20 }),
  };
}

/** A file on disk that stays open until disposed of. @throws InputError if it cannot be read or is no file. */
export async function openFile(path: string): Promise<OpenByteSource> {
  let handle: FileHandle;
  try {
    checkEnds(path);
    handle = await open(path, "r");
  } catch (error) {
    throw fileError("read", path, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new InputError(`${path}: not a file; name a file`);
    return {
      name: path,
      size: stat.size,
      read: (start, end) => readExactly(handle, path, start, end),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw fileError("read", path, error);
  }
}

/** Bytes in memory, which are copied when they are read. */
export function bytesInMemory(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(start, end) {
      if (end > bytes.byteLength) throw endsEarly(name, end - bytes.byteLength);
      return Uint8Array.from(bytes.subarray(start, end)).buffer;
    },
  };
}

/** A blob, such as the hub's library gives for a remote file. */
export function blobFile(name: string, blob: Blob): StoredFile {
  return {
    name,
    size: blob.size,
    async read(start, end) {
      const bytes = await blob.slice(start, end).arrayBuffer();
      if (bytes.byteLength < end - start) throw endsEarly(name, end - start - bytes.byteLength);
      if (bytes.byteLength > end - start)
        throw new InputError(`${name}: gave ${bytes.byteLength} bytes for ${end - start}`);
      return bytes;
    },
    async *stream() {
      let size = 0;
      for await (const bytes of blob.stream()) {
        size += bytes.byteLength;
        if (size > blob.size)
          throw new InputError(`${name}: is longer than the ${blob.size} bytes that were announced`);
        yield bytes;
      }
      if (size < blob.size) throw endsEarly(name, blob.size - size);
    },
  };
}

async function readExactly(handle: FileHandle, name: string, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(end - start));
  try {
    for (let done = 0; done < bytes.length; ) {
      const wanted = Math.min(bytes.length - done, largestRead);
      const { bytesRead } = await handle.read(bytes, done, wanted, start + done);
      if (bytesRead === 0) throw endsEarly(name, bytes.length - done);
      done += bytesRead;
    }
  } catch (error) {
    throw fileError("read", name, error);
  }
  return bytes.buffer;
}

function endsEarly(name: string, missing: number): InputError {
  return new InputError(`${name}: the file ends ${missing} bytes early; restore it from a copy`);
}
