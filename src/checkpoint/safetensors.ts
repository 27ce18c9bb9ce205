// Safetensors files: tensors by name with a few strings of metadata (huggingface/safetensors, version 0.x format: the
// header's length as u64, the header, the data, all little-endian). Tensors are read one at a time. Knows no models.

import { type FileHandle, open } from "node:fs/promises";
import { InputError } from "../error.ts";
import { fileError } from "../files/file-error.ts";
import { bytesPer, type DType, viewOf } from "../tensor/dtype.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import {
  type Header,
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
  let end = 0;
  const described = entries.map(([name, { dtype, shape, data }]) => {
    if (name === metadataKey) throw new InputError(`safetensors: no tensor can be called ${metadataKey}; rename it`);
    if (data.length !== sizeOf(shape)) {
      throw new RangeError(`safetensors: ${quote(name)} of shape [${shape}] has ${data.length} elements`);
    }
    const begin = end;
    end += data.byteLength;
    return [name, { dtype: storedAs[dtype], shape, data_offsets: [begin, end] }] as const;
  });
  const head = metadata ? [[metadataKey, metadata] as const] : [];
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([...head, ...described])));
  const length = Math.ceil(json.length / 8) * 8; // padded so that the data is aligned
  if (length > largestHeader) {
    throw new InputError(`safetensors: a header can have ${largestHeader} bytes, these names need ${length}`);
  }
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return [header, ...entries.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}

/**
 * Opens a safetensors file and checks its header against its length; tensors are read when asked for.
 * @throws InputError that names the file, and the tensor where it is one tensor's fault.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    throw fileError("read", path, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new InputError(`${path}: not a file; name a .safetensors file`);
    if (stat.size < 8) throw new InputError(`${path}: ${stat.size} bytes are no safetensors file; is it cut off?`);
    const prefix = await readExactly(handle, path, 0, 8);
    const length = new DataView(prefix.buffer).getBigUint64(0, true);
    if (length > BigInt(Math.min(stat.size - 8, largestHeader))) {
      const found = `a header of ${length} bytes in a file of ${stat.size}`;
      throw new InputError(`${path}: ${found}; the file is cut off or not safetensors`);
    }
    const dataStart = 8 + Number(length);
    const bytes = await readExactly(handle, path, 8, Number(length));
    return new SafetensorsFile(path, handle, dataStart, bytes, parseHeader(path, bytes, stat.size - dataStart));
  } catch (error) {
    await handle.close();
    throw fileError("read", path, error);
  }
}

/** An open safetensors file. */
export class SafetensorsFile implements AsyncDisposable {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the data. */
  readonly names: readonly string[];
  /** The header as it is in the file, without its length. */
  readonly headerBytes: Uint8Array;
  readonly #handle: FileHandle;
  readonly #dataStart: number;
  readonly #tensors: Header["tensors"];

  constructor(path: string, handle: FileHandle, dataStart: number, headerBytes: Uint8Array, header: Header) {
    this.path = path;
    this.metadata = header.metadata;
    this.names = [...header.tensors.keys()];
    this.headerBytes = headerBytes;
    this.#handle = handle;
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
  async bytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.info(name);
    return readExactly(this.#handle, `${this.path}: tensor ${quote(name)}`, this.#dataStart + begin, end - begin);
  }

  /** Reads one tensor into memory of its own; F16 and BF16 become float32. */
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
    await this.#handle.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A tensor over (or, for the halves, from) a buffer that holds just its stored bytes. */
export function decode({ dtype, stored, shape }: TensorInfo, bytes: Uint8Array<ArrayBuffer>): Tensor {
  const size = sizeOf(shape);
  if (stored !== "F16" && stored !== "BF16") return { dtype, shape, data: viewOf(dtype, bytes.buffer, 0, size) };
  const halves = new Uint16Array(bytes.buffer, 0, size);
  const widened = new Uint32Array(size); // the bits of float32
  for (let i = 0; i < size; i++) {
    const half = halves[i] as number;
    widened[i] = stored === "BF16" ? half << 16 : widen(half);
  }
  return { dtype, shape, data: new Float32Array(widened.buffer) };
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

async function readExactly(handle: FileHandle, what: string, position: number, length: number) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(length - at, 2 ** 28), position + at);
    if (bytesRead === 0) throw new InputError(`${what}: the file ends ${length - at} bytes early`);
    at += bytesRead;
  }
  return bytes;
}
