// Bytes that lie somewhere, a disk or the hub, and can be read as a stream or in ranges. Knows no formats.

import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

/** A file, wherever it is. */
export interface StoredFile {
  /** What messages call it. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** The bytes from `start` up to `end`. */
  read(start: number, end: number): Promise<ArrayBuffer>;
  stream(): AsyncIterable<Uint8Array>;
}

/** A file on disk. */
export function localFile(path: string, size: number): StoredFile {
  return {
    name: path,
    size,
    async read(start, end) {
      const file = await open(path);
      try {
        const bytes = new Uint8Array(new ArrayBuffer(end - start));
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
          if (bytesRead === 0) throw new RangeError(`${path}: ends at ${start + done}, asked for ${end}`);
          done += bytesRead;
        }
        return bytes.buffer;
      } finally {
        await file.close();
      }
    },
    stream: () => createReadStream(path, { highWaterMark: 1 << 20 }),
  };
}

/** A blob, such as the hub's library gives for a remote file. */
export function blobFile(name: string, blob: Blob): StoredFile {
  return {
    name,
    size: blob.size,
    read: (start, end) => blob.slice(start, end).arrayBuffer(),
    stream: () => blob.stream(),
  };
}
