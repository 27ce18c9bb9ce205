// The linear algebra that conversion needs, in float64, row by row. Systems are solved here, ten times as fast as by
// ml-matrix on these sizes; eigenvectors and singular vectors are ml-matrix's.

import { EigenvalueDecomposition, Matrix as MlMatrix, SingularValueDecomposition } from "ml-matrix";

/** A dense matrix; element (i, j) is `data[i · columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** A matrix of zeros, or of what `fill` gives for each row and column. */
export function matrix(rows: number, columns: number, fill?: (row: number, column: number) => number): Matrix {
  const data = new Float64Array(rows * columns);
  if (fill) for (let i = 0; i < data.length; i++) data[i] = fill(Math.floor(i / columns), i % columns);
  return { rows, columns, data };
}

/** One element. */
export function at({ columns, data }: Matrix, row: number, column: number): number {
  return data[row * columns + column] as number;
}

/** Columns `[from, from + count)`. */
export function columnsOf(a: Matrix, from: number, count: number): Matrix {
  return matrix(a.rows, count, (row, column) => at(a, row, from + column));
}

/** a · b. */
export function product(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) addRow(result, i, at(a, i, k), b, k);
  }
  return result;
}

/** aᵀ · b. */
export function transposedProduct(a: Matrix, b: Matrix): Matrix {
  const result = matrix(a.columns, b.columns);
  for (let k = 0; k < a.rows; k++) {
    for (let i = 0; i < a.columns; i++) addRow(result, i, at(a, k, i), b, k);
  }
  return result;
}

/** aᵀ. */
export function transposed(a: Matrix): Matrix {
  return matrix(a.columns, a.rows, (row, column) => at(a, column, row));
}

/** `factor · a`. */
export function scaled({ rows, columns, data }: Matrix, factor: number): Matrix {
  return { rows, columns, data: data.map((x) => x * factor) };
}

/**
 * The lower Cholesky factor of a positive definite matrix, of which the lower half is read. @throws RangeError where it
 * is not positive definite.
 */
export function cholesky(a: Matrix): Matrix {
  const size = a.rows;
  const lower = matrix(size, size);
  const { data } = lower;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = at(a, i, j);
      const [row, other] = [i * size, j * size];
      for (let k = 0; k < j; k++) sum -= (data[row + k] as number) * (data[other + k] as number);
      if (i !== j) data[row + j] = sum / (data[other + j] as number);
      else if (sum > 0) data[row + j] = Math.sqrt(sum);
      else throw new RangeError(`cholesky: the matrix is not positive definite (pivot ${i} is ${sum})`);
    }
  }
  return lower;
}

/** x of L · Lᵀ · x = b, for every column of b. */
export function solve(lower: Matrix, b: Matrix): Matrix {
  const size = lower.rows;
  const x = { ...b, data: b.data.slice() };
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) addRow(x, i, -at(lower, i, k), x, k);
    divideRow(x, i, at(lower, i, i));
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) addRow(x, i, -at(lower, k, i), x, k);
    divideRow(x, i, at(lower, i, i));
  }
  return x;
}

/** Eigenvalues of a symmetric matrix, ascending, and their vectors as columns. */
export function eigen(a: Matrix): { values: readonly number[]; vectors: Matrix } {
  const found = new EigenvalueDecomposition(toMl(a), { assumeSymmetric: true });
  return { values: found.realEigenvalues, vectors: fromMl(found.eigenvectorMatrix) };
}

/** The symmetric root of a matrix that is positive semidefinite but for rounding. */
export function squareRoot(a: Matrix): Matrix {
  const { values, vectors } = eigen(a);
  const weighted = matrix(a.rows, a.rows, (row, column) => {
    return at(vectors, row, column) * Math.sqrt(Math.max(0, values[column] as number));
  });
  return product(weighted, transposed(vectors));
}

/** The orthogonal matrix nearest to a square one (its polar factor); the identity for one that is singular. */
export function nearestOrthogonal(a: Matrix): Matrix {
  const { diagonal, leftSingularVectors, rightSingularVectors } = new SingularValueDecomposition(toMl(a));
  const [most, least] = [Math.max(...diagonal), Math.min(...diagonal)];
  if (!(least > 1e-10 * most)) return matrix(a.rows, a.rows, (row, column) => (row === column ? 1 : 0));
  return product(fromMl(leftSingularVectors), transposed(fromMl(rightSingularVectors)));
}

function addRow(into: Matrix, row: number, factor: number, from: Matrix, source: number): void {
  if (factor === 0) return;
  const { columns } = from;
  const [target, read] = [into.data, from.data];
  for (let j = 0, to = row * columns, at = source * columns; j < columns; j++, to++, at++) {
    target[to] = (target[to] as number) + factor * (read[at] as number);
  }
}

function divideRow({ columns, data }: Matrix, row: number, by: number): void {
  for (let j = row * columns; j < (row + 1) * columns; j++) data[j] = (data[j] as number) / by;
}

function toMl({ rows, columns, data }: Matrix): MlMatrix {
  return MlMatrix.from1DArray(rows, columns, data as unknown as number[]);
}

function fromMl(a: MlMatrix): Matrix {
  return matrix(a.rows, a.columns, (row, column) => a.get(row, column));
}
