// Writes GGUF files for tests (version 3, little-endian).

/** A value of the metadata: a text, a whole number, a fraction, or a list of one of these. */
export type GgufValue = string | { readonly u32: number } | { readonly f32: number } | boolean | readonly GgufValue[];

/** A tensor; dimensions as we have them, slowest first. */
export interface GgufTensor {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const u32 = (number: number) => Buffer.from(Uint32Array.of(number).buffer);
const u64 = (number: number) => Buffer.from(BigUint64Array.of(BigInt(number)).buffer);
const text = (string: string) => Buffer.concat([u64(Buffer.byteLength(string)), Buffer.from(string)]);

function typed(value: GgufValue): { type: number; bytes: Buffer } {
  if (typeof value === "string") return { type: 8, bytes: text(value) };
  if (typeof value === "boolean") return { type: 7, bytes: Buffer.of(Number(value)) };
  if ("u32" in value) return { type: 4, bytes: u32(value.u32) };
  if ("f32" in value) return { type: 6, bytes: Buffer.from(Float32Array.of(value.f32).buffer) };
  const items = value.map(typed);
  return {
    type: 9,
    bytes: Buffer.concat([u32(items[0]?.type ?? 4), u64(items.length), ...items.map(({ bytes }) => bytes)]),
  };
}

/** A file's bytes. */
export function ggufBytes(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
  const entries = Object.entries(metadata).map(([key, value]) => {
    const { type, bytes } = typed(value);
    return Buffer.concat([text(key), u32(type), bytes]);
  });
  const header = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(entries.length), ...entries];
  let offset = 0;
  for (const { name, type, shape, bytes } of tensors) {
    header.push(text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(type), u64(offset));
    offset += padded(bytes).length;
  }
  return Buffer.concat([padded(Buffer.concat(header)), ...tensors.map(({ bytes }) => padded(bytes))]);
}
