// How StableHLO writes types and constants. Knows no operation.

import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Element types of StableHLO that we write. */
export type Element = DType | "bfloat16";

/** A type whose every dimension is a number. */
export interface Type {
  readonly dtype: Element;
  readonly shape: readonly number[];
}

const elements: Readonly<Record<Element, string>> = {
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
  int32: "i32",
  int64: "i64",
  uint8: "ui8",
  int8: "i8",
  bool: "i1",
};

/** True of dtypes with fractions. */
export function isFloat(dtype: Element): boolean {
  return dtype === "float32" || dtype === "float16" || dtype === "bfloat16";
}

/** The type as in `tensor<2x3xf32>`. */
export function typeText({ dtype, shape }: Type): string {
  return `tensor<${[...shape, elements[dtype]].join("x")}>`;
}

/** The types of a signature as in `(tensor<2xf32>, tensor<f32>)`. */
export function typesText(types: readonly Type[]): string {
  return `(${types.map(typeText).join(", ")})`;
}

/** A number as the element of a constant of any shape: floats by their bits, so that no digit is lost. */
export function elementText(number: number | bigint, dtype: Element): string {
  if (dtype === "bool") return String(Number(number) !== 0);
  if (!isFloat(dtype)) return String(number);
  const bits = new Uint32Array(Float32Array.of(Number(number)).buffer)[0] as number;
  if (dtype === "float32") return `0x${bits.toString(16).toUpperCase().padStart(8, "0")}`;
  if (dtype === "bfloat16") return `0x${roundedToBfloat16(bits).toString(16).toUpperCase().padStart(4, "0")}`;
  throw new TypeError("stablehlo: float16 constants are tensors of bits");
}

/** The attribute `dense<…>` of a tensor; one value for all elements where they are equal. Booleans must be equal. */
export function denseText({ dtype, shape, data }: Tensor): string {
  if (data.length === 0) return "dense<>";
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const width = data.BYTES_PER_ELEMENT;
  if (shape.length > 0 && !isSplat(bytes, width)) return `dense<"0x${hex(bytes)}">`;
  if (dtype === "float32" || !isFloat(dtype)) return `dense<${elementText(data[0] as number | bigint, dtype)}>`;
  return `dense<0x${hex(bytes.slice(0, width).reverse())}>`;
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

/** The upper half of a float32's bits, rounded to nearest, halves to even; NaN is not asked for. */
function roundedToBfloat16(bits: number): number {
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
