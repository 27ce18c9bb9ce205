// Safetensors files: tensors by name with a few strings of metadata (huggingface/safetensors, version 0.x format: the
// header's length as u64, the header, the data, all little-endian). Tensors are read one at a time, from
// wherever the bytes lie. Knows no models.

import { InputError } from "../error.ts";
import { type ByteSource, type OpenByteSource, openFile } from "../files/byte-source.ts";
import { restoreBlocks } from "../tensor/blocks.ts";
import { bytesPer, type DType, viewOf } from "../tensor/dtype.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import {
  blocksKey,
  bytesOf,
  type Header,
  isBlocks,
  largestHeader,
  metadataKey,
  parseHeader,
  quote,
  type StoredType,
  type TensorInfo,
} from "./safetensors-header.ts";

const storedAs: Readonly<Record<DType, StoredType>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  int64: "I64",
  uint8: "U8",
  int8: "I8",
  bool: "BOOL",
};

/**
 * The bytes of a safetensors file as chunks: the header, then each tensor's own memory (not a copy). Wide types come
 * first, which aligns every tensor to its element size; otherwise the order is kept.
 * @throws InputError if a tensor has a name that the format reserves; RangeError if its data does not suit its shape.
 */
export function encodeSafetensors(tensors: Tensors, metadata?: Readonly<Record<string, string>>): Uint8Array[] {
  const entries = Object.entries(tensors).sort(([, a], [, b]) => bytesPer[b.dtype] - bytesPer[a.dtype]);
  for (const [name, { shape, data }] of entries) {
    if (data.length === sizeOf(shape)) continue;
    throw new RangeError(`safetensors: ${quote(name)} of shape [${shape}] has ${data.length} elements`);
  }
  const described = entries.map(([name, { dtype, shape }]) => ({ name, stored: storedAs[dtype], shape }));
  const data = entries.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return [encodeHeader(described, metadata), ...data];
}

/**
 * The bytes of a file before its data, for tensors whose data follow each other in this order.
 * @throws InputError if a tensor has a name that the format reserves, or the names are too many.
 */
export function encodeHeader(
  tensors: readonly { readonly name: string; readonly stored: StoredType; readonly shape: readonly number[] }[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const blocks: [string, StoredType][] = [];
  const described = tensors.map(({ name, stored, shape }) => {
    if (name === metadataKey) throw new InputError(`safetensors: no tensor can be called ${metadataKey}; rename it`);
    const begin = end;
    end += bytesOf(stored, sizeOf(shape));
    if (!isBlocks(stored)) return [name, { dtype: stored, shape, data_offsets: [begin, end] }] as const;
    blocks.push([name, stored]);
    const rows = [...shape.slice(0, -1), bytesOf(stored, shape.at(-1) as number)];
    return [name, { dtype: "U8", shape: rows, data_offsets: [begin, end] }] as const;
  });
  const said = { ...metadata, ...(blocks.length > 0 && { [blocksKey]: JSON.stringify(Object.fromEntries(blocks)) }) };
  const head = metadata || blocks.length > 0 ? [[metadataKey, said] as const] : [];
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...head, ...described])));
  const length = Math.ceil(json.length / 8) * 8; // padded so that the data is aligned
  if (length > largestHeader) {
    throw new InputError(`safetensors: a header can have ${largestHeader} bytes, these names need ${length}`);
  }
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

/**
 * Opens a safetensors file, at a path or wherever its bytes lie, and checks its header against its length; tensors are
 * read when asked for. What is opened by path is closed by the file, a source of bytes is its owner's.
 * @throws InputError that names the file, and the tensor where it is one tensor's fault.
 */
export async function openSafetensors(from: string | ByteSource): Promise<SafetensorsFile> {
  if (typeof from !== "string") return readHeader(from);
  const file = await openFile(from);
  try {
    return await readHeader(file, file);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

async function readHeader(source: ByteSource, owned?: OpenByteSource): Promise<SafetensorsFile> {
  const { name, size } = source;
  if (size < 8) throw new InputError(`${name}: ${size} bytes are no safetensors file; is it cut off?`);
  const length = new DataView(await source.read(0, 8)).getBigUint64(0, true);
  if (length > BigInt(Math.min(size - 8, largestHeader))) {
    const found = `a header of ${length} bytes in a file of ${size}`;
    throw new InputError(`${name}: ${found}; the file is cut off or not safetensors`);
  }
  const dataStart = 8 + Number(length);
  const bytes = new Uint8Array(await source.read(8, dataStart));
  return new SafetensorsFile(source, dataStart, bytes, parseHeader(name, bytes, size - dataStart), owned);
}

/** An open safetensors file. */
export class SafetensorsFile implements AsyncDisposable {
  /** Its path, or the name of the source that its bytes lie in. */
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly names: readonly string[];
  /** The header as it is in the file, without its length. */
  readonly headerBytes: Uint8Array;
  readonly #source: ByteSource;
  readonly #owned: AsyncDisposable | undefined;
  readonly #dataStart: number;
  readonly #tensors: Header["tensors"];

  /** @param owned what is closed with the file. */
  constructor(
    source: ByteSource,
    dataStart: number,
    headerBytes: Uint8Array,
    header: Header,
    owned: AsyncDisposable | undefined,
  ) {
    this.path = source.name;
    this.metadata = header.metadata;
    this.names = [...header.tensors.keys()];
    this.headerBytes = headerBytes;
    this.#source = source;
    this.#owned = owned;
    this.#dataStart = dataStart;
    this.#tensors = header.tensors;
  }

  /** A tensor's type, shape and place; throws an InputError if there is none of this name. */
  info(name: string): TensorInfo {
    const info = this.#tensors.get(name);
    if (!info) throw new InputError(`${this.path}: has no tensor ${quote(name)}; it has ${this.names.length} others`);
    return info;
  }

  /** A tensor's bytes as they are in the file. */
  bytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.info(name);
    return this.range(name, 0, end - begin);
  }

  /** Some of a tensor's bytes, `from` until before `to`, counted from its first. */
  async range(name: string, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.info(name);
    if (!(from >= 0 && from <= to && to <= end - begin)) throw new RangeError(`${name}: no bytes ${from} to ${to}`);
    try {
      return new Uint8Array(await this.#source.read(this.#dataStart + begin + from, this.#dataStart + begin + to));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`tensor ${quote(name)}: ${error.message}`, { cause: error });
    }
  }

  /** Reads one tensor into memory of its own; narrow floats and blocks become float32. */
  async read(name: string): Promise<Tensor> {
    return decode(this.info(name), await this.bytes(name));
  }

  /** Reads every tensor. */
  async readAll(): Promise<Tensors> {
    const entries: [string, Tensor][] = [];
    for (const name of this.names) entries.push([name, await this.read(name)]);
    return Object.fromEntries(entries);
  }

  async close(): Promise<void> {
    await this.#owned?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A tensor over (or, for blocks and floats of 16 and 8 bits, from) a buffer that holds just its stored bytes. */
export function decode({ dtype, stored, shape }: TensorInfo, bytes: Uint8Array<ArrayBuffer>): Tensor {
  const size = sizeOf(shape);
  if (isBlocks(stored)) return { dtype: "float32", shape, data: restoreBlocks(stored, bytes) };
  const bits = widenedBits[stored];
  if (!bits) return { dtype, shape, data: viewOf(dtype, bytes.buffer, 0, size) };
  const narrow = bytes.length === size ? bytes : new Uint16Array(bytes.buffer, 0, size);
  const widened = new Uint32Array(size); // the bits of float32
  if (stored === "BF16")
    for (let i = 0; i < size; i++) widened[i] = (narrow[i] as number) << 16; // twice as fast
  else for (let i = 0; i < size; i++) widened[i] = bits(narrow[i] as number);
  return { dtype, shape, data: new Float32Array(widened.buffer) };
}

/** How the bits of narrow floats become those of float32. */
const widenedBits: Readonly<Partial<Record<StoredType, (bits: number) => number>>> = {
  BF16: (bits) => bits << 16,
  F16: widen,
  F8_E5M2: (bits) => widen(bits << 8), // the upper half of a float16
  F8_E4M3: widenE4m3,
};

/** Of 4 bits of exponent and 3 of fraction, without infinities (OCP 8-bit floating point, E4M3). */
function widenE4m3(bits: number): number {
  const sign = (bits & 0x80) << 24;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if (exponent === 15 && fraction === 7) return sign | 0x7fc00000;
  if (exponent > 0) return sign | ((exponent + 120) << 23) | (fraction << 20);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 28; // a subnormal: moves its first one to the hidden place
  return sign | ((121 - shift) << 23) | (((fraction << shift) & 7) << 20);
}

/** The float32 bits of a half's bits (IEEE 754: 5 bits of exponent, 10 of fraction). */
function widen(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21; // a subnormal: moves its first one to the hidden place
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
