// Floats of 16 bits, IEEE binary16 ("float16") and bfloat16, as the 16-bit integers that hold them.

const [float32, bits32] = (() => {
  const floats = new Float32Array(1);
  return [floats, new Uint32Array(floats.buffer)] as const;
})();

/** The number that a float16's bits stand for. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** The bits of the float16 nearest to `x`, of two the even one; ±∞ beyond 65504. */
export function toFloat16(x: number): number {
  float32[0] = x;
  const sign = ((bits32[0] as number) >>> 16) & 0x8000;
  const size = Math.abs(x);
  if (Number.isNaN(x)) return sign | 0x7e00;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(size))) - 10); // of the last of 10 bits after the first
  const units = Math.max(0, roundToEven(size / step)) * (step / 2 ** -24); // in the least float16
  if (size === 0 || units === 0) return sign;
  if (units >= 2 ** 40) return sign | 0x7c00; // 65536
  if (units < 1024) return sign | units;
  const exponent = Math.floor(Math.log2(units)) - 9;
  return sign | ((exponent << 10) + (units / 2 ** (exponent - 1) - 1024));
}

function roundToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/** The number that a bfloat16's bits stand for. */
export function fromBfloat16(bits: number): number {
  bits32[0] = bits << 16;
  return float32[0] as number;
}

/** The bits of the bfloat16 nearest to `x` as a float32, of two the even one. */
export function toBfloat16(x: number): number {
  float32[0] = x;
  const bits = bits32[0] as number;
  if (Number.isNaN(x)) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
