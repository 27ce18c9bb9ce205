// The header of a safetensors file: which tensor has which type and shape and lies where. It is JSON, and checked as
// strictly as the reference does (huggingface/safetensors, src/tensor.rs): nothing overlaps, no byte is left over.

import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import { type BlockType, blockTypes } from "../tensor/blocks.ts";
import type { DType } from "../tensor/dtype.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** The format's own types. `dtype` is what they are read as: floats of 16 and 8 bits are widened, the rest stays as it is. */
export const plainTypes = {
  F32: { dtype: "float32", bytes: 4 },
  F16: { dtype: "float32", bytes: 2 },
  BF16: { dtype: "float32", bytes: 2 },
  F8_E4M3: { dtype: "float32", bytes: 1 },
  F8_E5M2: { dtype: "float32", bytes: 1 },
  I64: { dtype: "int64", bytes: 8 },
  I32: { dtype: "int32", bytes: 4 },
  I8: { dtype: "int8", bytes: 1 },
  U8: { dtype: "uint8", bytes: 1 },
  BOOL: { dtype: "bool", bytes: 1 },
} as const satisfies Record<string, { dtype: DType; bytes: number }>;

/** A type of a tensor in a file: one of the format's, or blocks, which to the format are bytes (see `blocksKey`). */
export type StoredType = keyof typeof plainTypes | BlockType;

export function isBlocks(stored: StoredType): stored is BlockType {
  return Object.hasOwn(blockTypes, stored);
}

/** What a tensor of this type is read as. */
export function readDtype(stored: StoredType): DType {
  return isBlocks(stored) ? "float32" : plainTypes[stored].dtype;
}

/** Bytes of so many elements, which are whole blocks where there are blocks. */
export function bytesOf(stored: StoredType, elements: number): number {
  if (!isBlocks(stored)) return elements * plainTypes[stored].bytes;
  const { elements: each, bytes } = blockTypes[stored];
  return (elements / each) * bytes;
}

/** Where and what a tensor is. */
export interface TensorInfo {
  /** What `read` gives. */
  readonly dtype: DType;
  /** What the file holds. */
  readonly stored: StoredType;
  readonly shape: readonly number[];
  /** Its bytes in the file's data, from `begin` until before `end`. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says; tensors in the order of their data. */
export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** The key of the header that is no tensor. */
export const metadataKey = "__metadata__";

/** The key of the metadata that names the tensors of bytes which are blocks, with their types, as JSON. */
export const blocksKey = "crosslayer.blocks";

/** The largest header there may be, in bytes; the reference's limit. */
export const largestHeader = 100_000_000;

/**
 * Parses a header of a file whose data has `dataBytes` bytes.
 * @throws InputError that names the file and, where it is one tensor's, the tensor.
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): Header {
  const fail = (problem: string) => new InputError(`${path}: ${problem}; the file is damaged or not safetensors`);
  if (bytes[0] !== 0x7b) throw fail("the header does not start with {");
  let text: string;
  let json: Record<string, unknown>;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    json = JSON.parse(text);
  } catch {
    throw fail("the header is not JSON in UTF-8");
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fail(`the header has ${quote(twice)} twice`);

  const { [metadataKey]: metadata = {}, ...rest } = json;
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw fail(`${metadataKey} must map names to strings`);
  }
  const blocks = blocksOf(metadata[blocksKey] as string | undefined, Object.keys(rest), fail);
  const tensors = Object.entries(rest)
    .map(([name, entry]) => {
      const failTensor = (problem: string) => fail(`tensor ${quote(name)}: ${problem}`);
      const info = tensorInfo(entry, failTensor);
      const type = blocks.get(name);
      return [name, type === undefined ? info : inBlocks(info, type, failTensor)] as const;
    })
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  let before = "the start";
  for (const [name, info] of tensors) {
    if (info.begin !== end) {
      const problem = info.begin < end ? "overlaps" : `leaves ${info.begin - end} bytes after`;
      throw fail(`tensor ${quote(name)}: ${problem} ${before}`);
    }
    end = info.end;
    before = quote(name);
  }
  if (end !== dataBytes) throw fail(`the header speaks of ${end} bytes of data, the file has ${dataBytes}`);
  return { metadata: metadata as Record<string, string>, tensors: new Map(tensors) };
}

/** A name in a message: in quotes, and not endless. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

function tensorInfo(entry: unknown, fail: (problem: string) => InputError): TensorInfo {
  if (!isObject(entry)) throw fail("must have a dtype, a shape and data_offsets");
  const { dtype: stored, shape, data_offsets: offsets, ...more } = entry;
  if (Object.keys(more).length > 0) throw fail(`has an unknown field ${quote(Object.keys(more)[0] as string)}`);
  if (typeof stored !== "string" || !Object.hasOwn(plainTypes, stored)) {
    const found = typeof stored === "string" ? quote(stored) : typeof stored;
    throw fail(`dtype must be one of ${Object.keys(plainTypes).join(", ")}, found ${found}`);
  }
  if (!isCounts(shape)) throw fail("shape must be a list of whole numbers from 0");
  if (!isCounts(offsets) || offsets.length !== 2) throw fail("data_offsets must be two whole numbers from 0");
  const [begin, end] = offsets as [number, number];
  const { dtype, bytes } = plainTypes[stored as keyof typeof plainTypes];
  const needed = sizeOf(shape) * bytes;
  if (end - begin !== needed) {
    const found = `data_offsets ${begin} to ${end} hold ${end - begin}`;
    throw fail(`${stored} of shape ${quote(shape.join(", "))} needs ${needed} bytes, ${found}`);
  }
  return { dtype, stored: stored as StoredType, shape, begin, end };
}

/** The types of the tensors that are blocks, by name. */
function blocksOf(
  text: string | undefined,
  names: readonly string[],
  fail: (problem: string) => InputError,
): ReadonlyMap<string, BlockType> {
  if (text === undefined) return new Map();
  const known = new Set(names);
  const entries = jsonEntries(text);
  if (entries?.every(([name, type]) => known.has(name) && Object.hasOwn(blockTypes, String(type)))) {
    return new Map(entries as [string, BlockType][]);
  }
  throw fail(`${blocksKey} in ${metadataKey} must name tensors, with ${Object.keys(blockTypes).join(", ")}`);
}

/** The fields of a JSON object; undefined for what is none. */
function jsonEntries(text: string): [string, unknown][] | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? Object.entries(json) : undefined;
  } catch {
    return undefined;
  }
}

/** A tensor of bytes, as the blocks that they are. */
function inBlocks(info: TensorInfo, type: BlockType, fail: (problem: string) => InputError): TensorInfo {
  const { elements, bytes } = blockTypes[type];
  const row = info.shape.at(-1) ?? 0;
  if (info.stored !== "U8" || row % bytes !== 0) {
    throw fail(`rows of ${row} ${info.stored} are not blocks of ${type}, of ${bytes} bytes each`);
  }
  const shape = [...info.shape.slice(0, -1), (row / bytes) * elements];
  return { ...info, dtype: "float32", stored: type, shape };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** The first key that an object of `json`, which is valid, has twice; JSON.parse would silently keep the last. */
function repeatedKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // of objects their keys so far
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(undefined);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = at++;
      while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
      let next = at + 1;
      while (" \t\r\n".includes(json[next] ?? "x")) next++;
      if (json[next] !== ":") continue;
      const key = JSON.parse(json.slice(start, at + 1));
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}
