// The layout of a token shard. Little-endian: a header of 88 bytes; the tokens, 2 or 4 bytes each; zeros up to a
// multiple of 8; one row of 16 bytes per document. Knows no files.
//
//   0 magic "clashard" · 8 version u32 · 12 vocab u32 · 16 bytes per token u32 · 20 zero u32 · 24 tokens u64
//   32 documents u64 · 40 bytes u64 · 48 words u64 · 56 sha256 of tokens, padding, rows and the header's first 56 bytes
//   row: first token u64 · bytes u32 · words u32

import { InputError } from "../error.ts";

const magic = "clashard";
const version = 1;

export const headerBytes = 88;
export const checkedHeaderBytes = 56;
export const rowBytes = 16;

/** What a shard says of itself. */
export interface ShardHeader {
  /** Token ids are below this. */
  readonly vocab: number;
  readonly bytesPerToken: 2 | 4;
  readonly tokens: number;
  readonly documents: number;
  /** Of the documents' text, in UTF-8. */
  readonly bytes: number;
  /** Of the documents' text (see `countWords`). */
  readonly words: number;
}

/** Two bytes where every id fits. */
export function bytesPerTokenOf(vocab: number): 2 | 4 {
  return vocab <= 65536 ? 2 : 4;
}

/** Where the documents' rows begin. */
export function rowsAt({ tokens, bytesPerToken }: Pick<ShardHeader, "tokens" | "bytesPerToken">): number {
  return headerBytes + Math.ceil((tokens * bytesPerToken) / 8) * 8;
}

/** The header's bytes, all but the checksum. */
export function encodeHeader(header: ShardHeader): Uint8Array {
  const buffer = Buffer.alloc(checkedHeaderBytes);
  buffer.write(magic, "latin1");
  buffer.writeUInt32LE(version, 8);
  buffer.writeUInt32LE(header.vocab, 12);
  buffer.writeUInt32LE(header.bytesPerToken, 16);
  [header.tokens, header.documents, header.bytes, header.words].forEach((count, i) => {
    buffer.writeBigUInt64LE(BigInt(count), 24 + 8 * i);
  });
  return buffer;
}

/**
 * Reads a header and holds it to the file's size.
 * @throws InputError for what is no shard, another version's, or not as long as it says.
 */
export function decodeHeader(bytes: Uint8Array, fileBytes: number, path: string): ShardHeader {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (found: string): never => {
    throw new InputError(`${path}: ${found}; prepare the data again`);
  };
  if (fileBytes < headerBytes || buffer.toString("latin1", 0, 8) !== magic) fail("not a token shard");
  if (buffer.readUInt32LE(8) !== version) fail(`shard version ${buffer.readUInt32LE(8)}, this reads ${version}`);
  const vocab = buffer.readUInt32LE(12);
  const bytesPerToken = buffer.readUInt32LE(16);
  if (vocab < 1 || bytesPerToken !== bytesPerTokenOf(vocab) || buffer.readUInt32LE(20) !== 0) fail("damaged header");
  const [tokens, documents, textBytes, words] = [24, 32, 40, 48].map((at) => Number(buffer.readBigUInt64LE(at))) as [
    number,
    number,
    number,
    number,
  ];
  const header: ShardHeader = {
    vocab,
    bytesPerToken: bytesPerToken as 2 | 4,
    tokens,
    documents,
    bytes: textBytes,
    words,
  };
  const expected = rowsAt(header) + documents * rowBytes;
  if (expected !== fileBytes) fail(`${fileBytes} bytes, the header says ${expected}`);
  return header;
}
