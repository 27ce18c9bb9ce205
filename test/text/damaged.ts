// Files of documents with a bit flipped, an end cut off or bytes put in, and what reading one of them comes to.

import { brotliCompressSync, gzipSync } from "node:zlib";
import { ByteWriter, parquetWriteBuffer } from "hyparquet-writer";
import { deltaBinaryPack } from "hyparquet-writer/src/delta.js";
import { writeMetadata } from "hyparquet-writer/src/metadata.js";
import { serializeTCompactProtocol } from "hyparquet-writer/src/thrift.js";
import { InputError } from "../../src/error.ts";
import type { StoredFile } from "../../src/files/byte-source.ts";
import type { Random } from "../../src/tensor/random.ts";
import { documentsOf } from "../../src/text/documents.ts";

const documents = Array.from({ length: 40 }, (_, i) =>
  i % 9 === 4 ? null : `Document ${i % 13} of été, ${"with words ".repeat(i % 5)}`,
);
const compressors = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
  BROTLI: (bytes: Uint8Array) => new Uint8Array(brotliCompressSync(bytes)),
};
const column = (data: unknown[]) => [
  { name: "id", data: data.map((_, i) => i) },
  { name: "text", data },
];
const parquet = (options: object, data: unknown[] = documents) =>
  new Uint8Array(parquetWriteBuffer({ columnData: column(data), rowGroupSize: 25, compressors, ...options } as never));

/** Whole files, by what they are, with the number of documents in each. */
export const wholeFiles: Readonly<Record<string, { bytes: Uint8Array; name: string; count: number }>> = {
  "parquet, uncompressed": { bytes: parquet({ codec: "UNCOMPRESSED" }), name: "a.parquet", count: 40 },
  "parquet, snappy": { bytes: parquet({ codec: "SNAPPY" }), name: "a.parquet", count: 40 },
  "parquet, gzip": { bytes: parquet({ codec: "GZIP" }), name: "a.parquet", count: 40 },
  "parquet, brotli": { bytes: parquet({ codec: "BROTLI" }), name: "a.parquet", count: 40 },
  "parquet, delta": {
    bytes: parquet({
      codec: "SNAPPY",
      columnData: [{ name: "text", data: documents.map((text) => text ?? ""), encoding: "DELTA_BYTE_ARRAY" }],
    }),
    name: "a.parquet",
    count: 40,
  },
  "JSON lines": {
    bytes: new TextEncoder().encode(documents.map((text) => `${JSON.stringify({ text })}\n`).join("")),
    name: "a.jsonl",
    count: 40,
  },
};

/** A small file whose texts come to far more: each is the one before and a letter, told by what they share. */
export function growingTexts(rows: number): Uint8Array {
  const page = new ByteWriter();
  deltaBinaryPack(
    page,
    Int32Array.from({ length: rows }, (_, i) => i),
    "INT32",
  ); // what each shares with the one before
  deltaBinaryPack(page, new Int32Array(rows).fill(1), "INT32"); // and what follows
  const texts = Buffer.concat([new Uint8Array(page.getBuffer()), Buffer.alloc(rows, "a")]);
  return onePage(rows, texts, { encoding: 7, repetition: "REQUIRED" });
}

/** A file of a few bytes that claims so many rows, all null. */
export function nothingBut(rows: number): Uint8Array {
  const run: number[] = []; // of zeros: its length twice as a varint, then the level
  for (let rest = 2 * rows; run.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    run.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  const levels = Buffer.of(run.length + 1, 0, 0, 0, ...run, 0);
  return onePage(rows, levels, { encoding: 0, repetition: "OPTIONAL" });
}

/** A file of one page, by the numbers and words of parquet.thrift. */
function onePage(rows: number, page: Uint8Array, { encoding, repetition }: { encoding: number; repetition: string }) {
  const header = new ByteWriter();
  serializeTCompactProtocol(header, {
    ...{ field_1: 0, field_2: page.length, field_3: page.length },
    field_5: { field_1: rows, field_2: encoding, field_3: 3, field_4: 3 },
  });
  const size = BigInt(header.getBuffer().byteLength + page.length);
  const chunk = {
    ...{ type: "BYTE_ARRAY", encodings: ["PLAIN"], path_in_schema: ["text"], codec: "UNCOMPRESSED" },
    ...{ num_values: BigInt(rows), total_uncompressed_size: size, total_compressed_size: size, data_page_offset: 4n },
  };
  const metadata = new ByteWriter();
  writeMetadata(metadata, {
    version: 1,
    schema: [
      { name: "root", num_children: 1 },
      { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: repetition },
    ],
    num_rows: BigInt(rows),
    row_groups: [{ columns: [{ file_offset: 4n, meta_data: chunk }], total_byte_size: size, num_rows: BigInt(rows) }],
  } as never);
  const [head, tail] = [header, metadata].map((writer) => new Uint8Array(writer.getBuffer())) as [
    Uint8Array,
    Uint8Array,
  ];
  return Buffer.concat([Buffer.from("PAR1"), head, page, tail, Buffer.from("PAR1")]);
}

/** The bytes with a bit or a few flipped, an end cut off, or a piece put elsewhere. */
export function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const kind = random.below(10);
  if (kind === 0) return bytes.slice(0, random.below(bytes.length));
  const out = bytes.slice();
  for (let flips = kind < 8 ? 1 : 1 + random.below(6); flips > 0; flips--) {
    const at =
      random.below(2) === 0 ? random.below(out.length) : out.length - 1 - random.below(Math.min(out.length, 400));
    out[at] = (out[at] as number) ^ (1 << random.below(8));
  }
  if (kind === 9) out.copyWithin(random.below(out.length), random.below(out.length), random.below(out.length));
  return out;
}

/** How many documents a file gives, or the mistake that it is said to have. @throws every other error. */
export async function readAll(name: string, bytes: Uint8Array): Promise<number | InputError> {
  const file: StoredFile = {
    name,
    size: bytes.length,
    read: async (start, end) => {
      if (start < 0 || end > bytes.length || end < start) throw new InputError(`${name}: bytes ${start} to ${end}`);
      return Uint8Array.from(bytes.subarray(start, end)).buffer;
    },
    async *stream() {
      yield bytes;
    },
  };
  let count = 0;
  try {
    for await (const _ of documentsOf(file, "text")) count++;
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  return count;
}
