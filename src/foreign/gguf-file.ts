// A GGUF file: what it says of its model, and its tensors. Knows no models.

import { bytesOf, isBlocks, quote, type StoredType } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../error.ts";
import type { ByteSource } from "../files/byte-source.ts";
import { blockTypes } from "../tensor/blocks.ts";
import { sizeOf } from "../tensor/tensor.ts";
import type { ForeignTensor } from "./foreign-checkpoint.ts";
import type { Json } from "./json.ts";

/** The types of tensors that are read, by ggml's numbers. */
const types: Readonly<Record<number, StoredType>> = { 0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 8: "Q8_0", 30: "BF16" };

/** A file's contents. */
export interface GgufFile {
  readonly name: string;
  /** Whole numbers as numbers. */
  readonly metadata: Json;
  readonly tensors: ReadonlyMap<string, ForeignTensor>;
}

/** Reads a file's header. @throws InputError naming the file, and the tensor where it is one tensor's fault. */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const { name, size } = source;
  const fail = (problem: string) => new InputError(`${name}: ${problem}; the file is damaged or not GGUF`);
  const { gguf } = await import("@huggingface/gguf"); // seldom asked for
  const found = await gguf("https://bytes.invalid/", { fetch: rangesOf(source) }).catch((error: Error) => {
    throw error instanceof InputError ? error : fail(error.message);
  });
  if (!found.littleEndian) throw fail("its numbers are big-endian");
  if (found.tensorInfoByteRange[1] > size) throw fail(`it ends within its header, after ${size} bytes`);
  const metadata = Object.fromEntries(
    Object.entries(found.metadata).map(([key, value]) => [key, typeof value === "bigint" ? Number(value) : value]),
  );
  if (Number(metadata["split.count"] ?? 1) > 1) {
    throw new InputError(`${name}: is one of ${metadata["split.count"]} files; join them (llama-gguf-split --merge)`);
  }
  const start = Number(found.tensorDataOffset);
  const tensors = new Map<string, ForeignTensor>();
  for (const { name: tensor, dtype, shape, offset } of found.tensorInfos) {
    if (tensors.has(tensor)) throw fail(`has tensor ${quote(tensor)} twice`);
    const type = types[dtype];
    if (!type) {
      const read = Object.values(types).join(", ");
      throw new InputError(`${name}: tensor ${quote(tensor)} has ggml's type ${dtype}; read are ${read}`);
    }
    const made = foreignTensor(source, type, shape.map(Number).reverse(), start + Number(offset));
    if (typeof made === "string") throw fail(`tensor ${quote(tensor)}: ${made}`);
    tensors.set(tensor, made);
  }
  return { name, metadata, tensors };
}

/** A tensor, or what is wrong with it. */
function foreignTensor(
  source: ByteSource,
  stored: StoredType,
  shape: readonly number[],
  start: number,
): ForeignTensor | string {
  const row = sizeOf(shape.slice(1)); // of a vector rows are elements; blocks are never cut
  if (isBlocks(stored) && ((shape.at(-1) as number) % blockTypes[stored].elements !== 0 || shape.length === 1)) {
    return `rows of ${shape.length === 1 ? 1 : shape.at(-1)} elements are not whole blocks of ${stored}`;
  }
  const rowBytes = bytesOf(stored, row);
  const end = start + (shape[0] ?? 1) * rowBytes;
  if (!Number.isSafeInteger(end) || end > source.size) {
    return `lies in bytes ${start} to ${end}, the file has ${source.size}`;
  }
  return {
    ...{ file: source.name, stored, shape },
    read: async (from, to) => new Uint8Array(await source.read(start + from * rowBytes, start + to * rowBytes)),
  };
}

/** The parser asks for ranges as of a server; they are the source's. */
function rangesOf(source: ByteSource): typeof fetch {
  return async (_, init) => {
    const range = new Headers(init?.headers).get("range") ?? "";
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const start = Number(from);
    if (!(start < source.size))
      throw new InputError(`${source.name}: ends within its header, after ${source.size} bytes`);
    const end = Math.min(Number(to) + 1, source.size);
    const headers = { "content-range": `bytes ${start}-${end - 1}/${source.size}` };
    return new Response(await source.read(start, end), { status: 206, headers });
  };
}
