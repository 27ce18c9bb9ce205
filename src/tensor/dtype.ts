// Element types and the typed arrays that hold them. Knows nothing of shapes.

/**
 * Element types of tensors. `float32` is what models compute in; the integers carry token ids and positions; `float16`
 * (IEEE binary16, held as its 16 bits) carries scales of quantised numbers; `bfloat16` (float32's upper 16 bits) is what
 * accelerators multiply in.
 */
export type DType = "float32" | "float16" | "bfloat16" | "int32" | "int64" | "uint8" | "int8" | "bool";

interface ArrayOf {
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  int8: Int8Array;
  bool: Uint8Array;
}

/** The typed array that holds elements of `D`. */
export type DataOf<D extends DType = DType> = ArrayOf[D];

interface ArrayConstructorOf<D extends DType> {
  new (length: number): DataOf<D>;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): DataOf<D>;
}

const constructors: { [D in DType]: ArrayConstructorOf<D> } = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
};

/** Bytes per element. */
export const bytesPer: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  int8: 1,
  bool: 1,
};

/** A zeroed typed array for `length` elements of `dtype`. */
export function allocate<D extends DType>(dtype: D, length: number): DataOf<D> {
  return new (constructors[dtype] as ArrayConstructorOf<D>)(length);
}

/** A typed array over bytes that are already there; `byteOffset` must suit the element size. */
export function viewOf<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): DataOf<D> {
  return new (constructors[dtype] as ArrayConstructorOf<D>)(buffer, byteOffset, length);
}
