// Keys for several heads in one: per rotary pair, a complex number for each token. A key k of a head is stood for by c·k',
// where k' is what the merged head keeps and c a complex constant, which commutes with rotation: queries take it over.

import { type Complex, largestVector } from "./hermitian.ts";
import { at, type Matrix } from "./linear-algebra.ts";

/** What a merged head's keys are projected by, and what queries of each head they stand for are multiplied by. */
export interface FittedKeys {
  /** `[C, D]`, D columns as a head has them: real parts, then imaginary parts. */
  readonly projection: Matrix;
  /** For each head, conj(c) of each pair: D numbers, real parts, then imaginary parts. */
  readonly queryFactors: readonly Float64Array[];
}

/** A head's keys as the fit sees them. */
export interface KeyUnit {
  /** XᵀK, `[C, D]`. */
  readonly cross: Matrix;
  /** (XᵀX)⁻¹XᵀK, `[C, D]`: the best that a projection of X can do for this head alone. */
  readonly solved: Matrix;
  /** Mean |q|² of each pair over all queries that meet the keys, `[D/2]`: how much an error of the pair counts. */
  readonly weights: Float64Array;
}

/**
 * The keys that lose least of all heads' scores: for each pair the c and the projection that minimise Σ w·|k − c·k'|², by
 * the largest eigenvector of a Hermitian matrix of as many rows as heads.
 */
export function fitKeys(units: readonly KeyUnit[]): FittedKeys {
  const { rows, columns } = (units[0] as KeyUnit).cross;
  const half = columns / 2;
  const projection = { rows, columns, data: new Float64Array(rows * columns) };
  const queryFactors = units.map(() => new Float64Array(columns));
  for (let pair = 0; pair < half; pair++) {
    const roots = rootWeights(units, pair);
    const total = Math.hypot(...roots); // makes |c| 1 on average
    const { re, im } = largestVector(hermitian(units, pair, roots));
    const [first, second] = [re[0] as number, im[0] as number];
    const length = Math.hypot(first, second);
    const [turnRe, turnIm] = length > 0 ? [first / length, -second / length] : [1, 0]; // the owner's c is real
    for (const [i, { solved }] of units.entries()) {
      const [a, b] = [re[i] as number, im[i] as number];
      const [x, y] = [a * turnRe - b * turnIm, a * turnIm + b * turnRe]; // √w·conj(c)
      const [share, factors] = [(roots[i] as number) / total, queryFactors[i] as Float64Array];
      factors[pair] = x / share;
      factors[pair + half] = y / share;
      for (let row = 0; row < rows; row++) {
        const [real, imaginary] = [at(solved, row, pair), at(solved, row, pair + half)];
        const place = row * columns + pair;
        projection.data[place] = (projection.data[place] as number) + share * (x * real - y * imaginary);
        projection.data[place + half] = (projection.data[place + half] as number) + share * (x * imaginary + y * real);
      }
    }
  }
  return { projection, queryFactors };
}

/** Keys as the first head has them, with nothing for queries to take over. */
export function ownKeys(units: readonly KeyUnit[]): FittedKeys {
  const { solved } = units[0] as KeyUnit;
  const half = solved.columns / 2;
  const unchanged = Float64Array.from({ length: solved.columns }, (_, i) => (i < half ? 1 : 0));
  return { projection: solved, queryFactors: units.map(() => unchanged) };
}

/** What a fit of these heads keeps of their keys' weighted squares. */
export function keptOfKeys(units: readonly KeyUnit[]): number {
  const half = (units[0] as KeyUnit).cross.columns / 2;
  let kept = 0;
  for (let pair = 0; pair < half; pair++) {
    kept += largestVector(hermitian(units, pair, rootWeights(units, pair))).value;
  }
  return kept;
}

function rootWeights(units: readonly KeyUnit[], pair: number): number[] {
  const weights = units.map(({ weights }) => weights[pair] as number);
  const least = 1e-6 * Math.max(...weights) || 1; // no query at all: any weight will do
  return weights.map((weight) => Math.sqrt(Math.max(weight, least)));
}

/** √w·√w'·kᴴX(XᵀX)⁻¹Xᵀk' of every two heads. */
function hermitian(units: readonly KeyUnit[], pair: number, roots: readonly number[]): Complex {
  const size = units.length;
  const [re, im] = [new Float64Array(size * size), new Float64Array(size * size)];
  const half = (units[0] as KeyUnit).cross.columns / 2;
  for (const [i, { cross }] of units.entries()) {
    for (const [j, { solved }] of units.entries()) {
      let [real, imaginary] = [0, 0];
      for (let row = 0; row < cross.rows; row++) {
        const [a, b] = [at(cross, row, pair), at(cross, row, pair + half)];
        const [x, y] = [at(solved, row, pair), at(solved, row, pair + half)];
        real += a * x + b * y;
        imaginary += a * y - b * x;
      }
      const scale = (roots[i] as number) * (roots[j] as number);
      re[i * size + j] = scale * real;
      im[i * size + j] = scale * imaginary;
    }
  }
  return { size, re, im };
}
