// Values for several heads in one: a value v of a head is stood for by v'·B, where v' is what the merged head keeps and B
// a matrix of the head's own, which the output projection takes over.

import {
  at,
  eigen,
  type Matrix,
  matrix,
  nearestOrthogonal,
  product,
  scaled,
  transposed,
  transposedProduct,
} from "./linear-algebra.ts";

/** What a merged head's values are projected by, and what turns them to each head's. */
export interface FittedValues {
  /** `[C, D]`. */
  readonly projection: Matrix;
  /** For each head B, `[D, D]`. */
  readonly back: readonly Matrix[];
}

/** A head's values as the fit sees them. */
export interface ValueUnit {
  /** XᵀV, `[C, D]`. */
  readonly cross: Matrix;
  /** (XᵀX)⁻¹XᵀV, `[C, D]`. */
  readonly solved: Matrix;
  /** The root of Σ WᵀW over the output projections that read the values, `[D, D]`: how much an error counts. */
  readonly root: Matrix;
}

/** Directions with less of the strongest one's energy are noise. */
const leastEnergy = 1e-12;

/**
 * The values that lose least of what all heads add to the residual stream: reduced-rank regression. What X can give of all
 * heads' values is weighted and its D strongest directions kept; each head's B is the least-squares one.
 */
export function fitValues(units: readonly ValueUnit[]): FittedValues {
  const { rows, columns } = (units[0] as ValueUnit).cross;
  const { values, vectors } = eigen(weightedProducts(units));
  const first = vectors.columns - columns; // the last ones are the largest
  const least = leastEnergy * (values.at(-1) as number);
  const projection = matrix(rows, columns);
  for (const [i, { solved, root }] of units.entries()) {
    const directions = matrix(columns, columns, (row, column) => {
      const energy = values[first + column] as number;
      return energy > least ? at(vectors, i * columns + row, first + column) / Math.sqrt(energy) : 0;
    });
    const part = product(solved, product(root, directions));
    for (const [j, x] of part.data.entries()) projection.data[j] = (projection.data[j] as number) + x;
  }
  const back = units.map(({ cross }) => transposedProduct(projection, cross)); // X·projection has orthonormal columns
  // The basis is free: one in which the owner's own values come back almost as they are.
  const [own] = back as [Matrix];
  const basis = nearestOrthogonal(own);
  const scale = Math.hypot(...own.data) / Math.sqrt(columns) || 1;
  return {
    projection: scaled(product(projection, basis), scale),
    back: back.map((b) => scaled(product(transposed(basis), b), 1 / scale)),
  };
}

/** What a fit of these heads keeps of what their values add, weighted. */
export function keptOfValues(units: readonly ValueUnit[]): number {
  const { values } = eigen(weightedProducts(units));
  const { columns } = (units[0] as ValueUnit).cross;
  return values.slice(-columns).reduce((sum, value) => sum + value, 0);
}

/** R·VᵀX(XᵀX)⁻¹XᵀV'·R' of every two heads, `[heads·D, heads·D]`. */
function weightedProducts(units: readonly ValueUnit[]): Matrix {
  const { columns } = (units[0] as ValueUnit).cross;
  const all = matrix(units.length * columns, units.length * columns);
  for (const [i, a] of units.entries()) {
    for (const [j, b] of units.entries()) {
      const block = product(a.root, product(transposedProduct(a.cross, b.solved), b.root));
      for (let row = 0; row < columns; row++) {
        all.data.set(
          block.data.subarray(row * columns, (row + 1) * columns),
          (i * columns + row) * all.columns + j * columns,
        );
      }
    }
  }
  return all;
}
