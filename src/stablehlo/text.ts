// How StableHLO writes types and constants. Knows no operation.

import { bytesPer, type DType, isFloat } from "../tensor/dtype.ts";
import { toBfloat16, toFloat16 } from "../tensor/half.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A type whose every dimension is a number. */
export interface Type {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

const elements: Readonly<Record<DType, string>> = {
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
  int32: "i32",
  int64: "i64",
  uint8: "ui8",
  int8: "i8",
  bool: "i1",
};

/** The type as in `tensor<2x3xf32>`. */
export function typeText({ dtype, shape }: Type): string {
  return `tensor<${[...shape, elements[dtype]].join("x")}>`;
}

/** The types of a signature as in `(tensor<2xf32>, tensor<f32>)`. */
export function typesText(types: readonly Type[]): string {
  return `(${types.map(typeText).join(", ")})`;
}

/** A number as the element of a constant of any shape: floats by their bits, so that no digit is lost. */
export function elementText(number: number | bigint, dtype: DType): string {
  if (dtype === "bool") return String(Number(number) !== 0);
  return isFloat(dtype) ? bitsText(bitsOf(Number(number), dtype), dtype) : String(number);
}

/** The attribute `dense<…>` of a tensor; one value for all elements where they are equal. Booleans must be equal. */
export function denseText({ dtype, shape, data }: Tensor): string {
  if (data.length === 0) return "dense<>";
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const width = data.BYTES_PER_ELEMENT;
  if (shape.length > 0 && !isSplat(bytes, width)) return `dense<"0x${hex(bytes)}">`;
  const first = data[0] as number | bigint;
  const is16Bits = dtype === "float16" || dtype === "bfloat16"; // their data are bits already
  return `dense<${is16Bits ? bitsText(first as number, dtype) : elementText(first, dtype)}>`;
}

function isSplat(bytes: Uint8Array, width: number): boolean {
  for (let i = width; i < bytes.length; i++) if (bytes[i] !== bytes[i - width]) return false;
  return true;
}

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, "0"));

function hex(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 4096) {
    parts.push(Array.from(bytes.subarray(i, i + 4096), (byte) => pairs[byte]).join(""));
  }
  return parts.join("");
}

function bitsOf(number: number, dtype: DType): number {
  if (dtype === "float16") return toFloat16(number);
  if (dtype === "bfloat16") return toBfloat16(number);
  return new Uint32Array(Float32Array.of(number).buffer)[0] as number;
}

function bitsText(bits: number, dtype: DType): string {
  return `0x${bits
    .toString(16)
    .toUpperCase()
    .padStart(2 * bytesPer[dtype], "0")}`;
}
