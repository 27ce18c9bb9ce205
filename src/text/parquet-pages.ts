// Whether a column's pages are what the file says of them, before anything is made of them: sizes that would fill the
// memory, pages that are cut off, counts that do not add up and bytes that were flipped are found here. Knows no values, but
// how long texts become that are told by what they share with the one before.

import * as zlib from "node:zlib";
import type { PageHeader, SchemaTree } from "hyparquet";
import { parquetHeader, type readColumn } from "hyparquet/src/column.js";
import { decompressPage } from "hyparquet/src/datapage.js";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { getMaxDefinitionLevel, getMaxRepetitionLevel, isFlatColumn } from "hyparquet/src/schema.js";

/** The largest page, in bytes, and how much of that compressed bytes may claim beyond `freelyClaimed`. */
const largestPage = 2 ** 30;
const freelyClaimed = 2 ** 26;
const largestRatio = 4096;

// Node has it from 20.15 on.
const crc32 = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32;

/** How a column's values are read, as the library takes it. */
type ColumnDecoder = Parameters<typeof readColumn>[2];

/** Whether every row of a column has one value. */
export function isFlat(schemaPath: SchemaTree[]): boolean {
  return isFlatColumn(schemaPath);
}

/**
 * Checks the pages of a column's chunk of so many `values`, nulls counted. @returns the bytes that they come to.
 * @throws Error that says which page is not as it should be.
 */
export function checkPages(bytes: Uint8Array, values: number, decoder: ColumnDecoder): number {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let found = 0;
  let uncompressed = 0;
  for (let page = 0; reader.offset < bytes.byteLength; page++) {
    const header = parquetHeader(reader);
    const end = reader.offset + header.compressed_page_size;
    const fail = (problem: string) => new Error(`page ${page} ${problem}`);
    if (!isCount(header.compressed_page_size) || !isCount(header.uncompressed_page_size)) throw fail("has no size");
    if (end > bytes.byteLength) throw fail(`ends ${end - bytes.byteLength} bytes beyond its column`);
    const size = header.uncompressed_page_size;
    if (size > largestPage || size > freelyClaimed + largestRatio * header.compressed_page_size) {
      throw fail(`claims ${size} bytes in ${header.compressed_page_size}`);
    }
    if (header.crc !== undefined && crc32) {
      const sum = crc32(bytes.subarray(reader.offset, end)) | 0;
      if (sum !== (header.crc | 0)) throw fail("has another checksum than its header says");
    }
    const count = countOf(header, isFlat(decoder.schemaPath), fail);
    if (header.type !== "DICTIONARY_PAGE") found += count;
    if (count > values && header.type !== "DICTIONARY_PAGE") throw fail(`claims ${count} of ${values} values`);
    const page = bytes.subarray(reader.offset, end);
    const shared = encodingOf(header) === "DELTA_BYTE_ARRAY" ? sharedTexts(page, header, decoder, fail) : 0;
    if (shared > freelyClaimed + largestRatio * page.length) throw fail(`claims ${shared} bytes in ${page.length}`);
    uncompressed += Math.max(size, shared);
    reader.offset = end;
  }
  if (found !== values) throw new Error(`its pages have ${found} values, its column has ${values}`);
  return uncompressed;
}

/** The values of a page. Each of a dictionary takes a byte at least. */
function countOf(header: PageHeader, isFlat: boolean, fail: (problem: string) => Error): number {
  if (header.type === "DATA_PAGE") return counted(header.data_page_header?.num_values, fail);
  if (header.type === "DICTIONARY_PAGE") {
    const count = counted(header.dictionary_page_header?.num_values, fail);
    if (count > header.uncompressed_page_size) throw fail(`claims a dictionary of ${count} values`);
    return count;
  }
  const v2 = header.data_page_header_v2;
  if (header.type !== "DATA_PAGE_V2" || !v2) throw fail("is of an unknown kind");
  const levels = [v2.repetition_levels_byte_length, v2.definition_levels_byte_length];
  if (!levels.every(isCount) || (levels[0] as number) + (levels[1] as number) > header.compressed_page_size) {
    throw fail("has levels that do not fit in it");
  }
  if ((isFlat && v2.num_rows !== v2.num_values) || counted(v2.num_nulls, fail) > v2.num_values) {
    throw fail("has wrong counts");
  }
  return counted(v2.num_values, fail);
}

function encodingOf({ data_page_header: v1, data_page_header_v2: v2 }: PageHeader): string | undefined {
  return v1?.encoding ?? v2?.encoding;
}

/** The bytes of a page's texts, each of which is told as what it shares with the one before and what follows. */
function sharedTexts(
  bytes: Uint8Array,
  { uncompressed_page_size: size, data_page_header: v1, data_page_header_v2: v2 }: PageHeader,
  { codec, compressors, schemaPath }: ColumnDecoder,
  fail: (problem: string) => Error,
): number {
  const levels = v2 ? v2.repetition_levels_byte_length + v2.definition_levels_byte_length : 0;
  const packed = bytes.subarray(levels);
  const page = v2?.is_compressed === false ? packed : decompressPage(packed, size - levels, codec, compressors);
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 };
  let count = v2 ? v2.num_values - v2.num_nulls : (v1?.num_values ?? 0);
  if (v1) {
    for (const most of [getMaxRepetitionLevel(schemaPath), getMaxDefinitionLevel(schemaPath)]) {
      if (most === 0) continue;
      const found = new Array<number>(v1.num_values);
      readRleBitPackedHybrid(reader, 32 - Math.clz32(most), found);
      count = found.filter((level) => level === most).length; // the last are those that say what is there
    }
  }
  let total = 0;
  for (let part = 0; part < 2 && count > 0; part++) {
    const lengths = new Int32Array(count); // shared with the text before, then what follows
    deltaBinaryUnpack(reader, count, lengths);
    for (const length of lengths) {
      if (length < 0) throw fail("has texts of negative length");
      total += length;
    }
  }
  return total;
}

function counted(count: unknown, fail: (problem: string) => Error): number {
  if (!isCount(count)) throw fail("has no count of values");
  return count;
}

function isCount(count: unknown): count is number {
  return Number.isSafeInteger(count) && (count as number) >= 0;
}
