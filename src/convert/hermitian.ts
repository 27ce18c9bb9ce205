// The largest eigenvector of a small Hermitian matrix. Knows nothing of keys.

/** A square complex matrix, row by row. */
export interface Complex {
  readonly size: number;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** How often the matrix is squared: the ratio of two eigenvalues is raised to 2²⁴. */
const squarings = 24;

/** The largest eigenvalue of a positive semidefinite Hermitian matrix and its unit vector, by squaring the matrix. */
export function largestVector(a: Complex): { value: number; re: Float64Array; im: Float64Array } {
  const { size } = a;
  let power = normalized(a);
  for (let i = 0; i < squarings; i++) power = normalized(multiplied(power, power));
  // Every column is the vector now, times a number; the longest has the least rounding.
  const lengths = Array.from({ length: size }, (_, column) => columnLength(power, column));
  const best = lengths.indexOf(Math.max(...lengths));
  const length = lengths[best] || 1;
  const pick = (part: Float64Array) =>
    Float64Array.from({ length: size }, (_, row) => (part[row * size + best] as number) / length);
  const [re, im] = lengths[best]
    ? [pick(power.re), pick(power.im)]
    : [new Float64Array(size).fill(1 / Math.sqrt(size)), new Float64Array(size)];
  let value = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const [x, y] = [a.re[i * size + j] as number, a.im[i * size + j] as number];
      const [p, q, r, s] = [re[i], im[i], re[j], im[j]] as unknown as [number, number, number, number];
      value += x * (p * r + q * s) - y * (p * s - q * r);
    }
  }
  return { value, re, im };
}

function columnLength({ size, re, im }: Complex, column: number): number {
  let sum = 0;
  for (let row = 0; row < size; row++)
    sum += (re[row * size + column] as number) ** 2 + (im[row * size + column] as number) ** 2;
  return Math.sqrt(sum);
}

function normalized({ size, re, im }: Complex): Complex {
  let largest = 0;
  for (let i = 0; i < size; i++) largest = Math.max(largest, re[i * size + i] as number);
  const scale = largest > 0 ? 1 / largest : 0;
  return { size, re: re.map((x) => x * scale), im: im.map((x) => x * scale) };
}

function multiplied(a: Complex, b: Complex): Complex {
  const { size } = a;
  const [re, im] = [new Float64Array(size * size), new Float64Array(size * size)];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let [real, imaginary] = [0, 0];
      for (let k = 0; k < size; k++) {
        const [x, y] = [a.re[i * size + k] as number, a.im[i * size + k] as number];
        const [u, v] = [b.re[k * size + j] as number, b.im[k * size + j] as number];
        real += x * u - y * v;
        imaginary += x * v + y * u;
      }
      re[i * size + j] = real;
      im[i * size + j] = imaginary;
    }
  }
  return { size, re, im };
}
