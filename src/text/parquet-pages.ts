// Whether a column's pages are what the file says of them, before anything is made of them: sizes that would fill the
// memory, pages that are cut off, counts that do not add up and bytes that were flipped are found here. Knows no values.

import * as zlib from "node:zlib";
import type { PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";

/** The largest page, in bytes, and how much of that compressed bytes may claim beyond `freelyClaimed`. */
const largestPage = 2 ** 30;
const freelyClaimed = 2 ** 26;
const largestRatio = 4096;

// Node has it from 20.15 on.
const crc32 = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32;

/**
 * Checks the pages of a column's chunk of so many `values`, nulls counted. @returns its bytes uncompressed.
 * @throws Error that says which page is not as it should be.
 */
export function checkPages(bytes: Uint8Array, values: number): number {
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
    const count = countOf(header, fail);
    if (header.type !== "DICTIONARY_PAGE") found += count;
    if (count > values && header.type !== "DICTIONARY_PAGE") throw fail(`claims ${count} of ${values} values`);
    uncompressed += size;
    reader.offset = end;
  }
  if (found !== values) throw new Error(`its pages have ${found} values, its column has ${values}`);
  return uncompressed;
}

/** The values of a page. Each of a dictionary takes a byte at least. */
function countOf(header: PageHeader, fail: (problem: string) => Error): number {
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
  if (v2.num_rows !== v2.num_values || counted(v2.num_nulls, fail) > v2.num_values) throw fail("has wrong counts");
  return counted(v2.num_values, fail);
}

function counted(count: unknown, fail: (problem: string) => Error): number {
  if (!isCount(count)) throw fail("has no count of values");
  return count;
}

function isCount(count: unknown): count is number {
  return Number.isSafeInteger(count) && (count as number) >= 0;
}
