// Safetensors files that know their own SHA-256, so that one flipped bit anywhere is found when they are read. The
// checksum is metadata of the file it is of: it is taken with its own 64 digits as zeros.

import { createHash } from "node:crypto";
import { InputError } from "../error.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { decode, encodeSafetensors, type SafetensorsFile } from "./safetensors.ts";

const key = "checksum";
const blank = "0".repeat(64);

/** The metadata of a file whose checksum is still to come. */
export const blankChecksum = { [key]: blank };

/**
 * As `encodeSafetensors`, with the file's checksum in its metadata.
 * @throws InputError if `metadata` has a checksum of its own.
 */
export function encodeChecked(tensors: Tensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array[] {
  if (Object.hasOwn(metadata, key)) throw new InputError(`checkpoint: "${key}" is reserved; choose another name`);
  const chunks = encodeSafetensors(tensors, { ...metadata, ...blankChecksum });
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  const header = chunks[0] as Uint8Array;
  header.set(new TextEncoder().encode(hash.digest("hex")), checksumPlace(header));
  return chunks;
}

/** Where the checksum's digits belong in the beginning of a file that has `blankChecksum`. */
export function checksumPlace(header: Uint8Array): number {
  return digitsAt(header) as number;
}

/** Whether a file claims a checksum. */
export function hasChecksum(file: SafetensorsFile): boolean {
  return Object.hasOwn(file.metadata, key);
}

/**
 * Reads the tensors that are `wanted` and checks the whole file by its checksum in the same pass.
 * @throws InputError if the file has no checksum or its content does not match.
 */
export async function readChecked(
  file: SafetensorsFile,
  wanted: (name: string) => boolean = () => true,
): Promise<Tensors> {
  const { path, metadata, headerBytes, names } = file;
  const prefix = new Uint8Array(8 + headerBytes.length);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(headerBytes.length), true);
  prefix.set(headerBytes, 8);
  const at = digitsAt(prefix);
  if (at === undefined) throw new InputError(`${path}: has no checksum; the file is damaged or not from crosslayer`);
  prefix.fill(0x30, at, at + blank.length);

  const hash = createHash("sha256").update(prefix);
  const tensors: [string, Tensors[string]][] = [];
  for (const name of names) {
    const bytes = await file.bytes(name);
    hash.update(bytes);
    if (wanted(name)) tensors.push([name, decode(file.info(name), bytes)]);
  }
  const found = hash.digest("hex");
  if (found !== metadata[key]) {
    const expected = `the checksum says ${metadata[key]?.slice(0, 12)}…, the content is ${found.slice(0, 12)}…`;
    throw new InputError(`${path}: ${expected}; the file is damaged, restore it from a copy`);
  }
  return Object.fromEntries(tensors);
}

/** Where the digits are. Inside JSON strings quotes are escaped, so nothing else reads like this. */
function digitsAt(prefix: Uint8Array): number | undefined {
  const field = `"${key}":"`;
  const at = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength).indexOf(field, 8);
  const start = at + field.length;
  return at < 0 || prefix[start + blank.length] !== 0x22 ? undefined : start;
}
