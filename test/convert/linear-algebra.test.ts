import { describe, expect, test } from "vitest";
import { largestVector } from "../../src/convert/hermitian.ts";
import {
  at,
  cholesky,
  eigen,
  type Matrix,
  matrix,
  nearestOrthogonal,
  product,
  solve,
  squareRoot,
  transposed,
  transposedProduct,
} from "../../src/convert/linear-algebra.ts";
import { Random } from "../../src/tensor/random.ts";

const random = new Random(7);
const randomMatrix = (rows: number, columns: number) => matrix(rows, columns, () => random.normal());

/** The product by its definition. */
const plainProduct = (a: Matrix, b: Matrix) =>
  matrix(a.rows, b.columns, (i, j) => {
    let sum = 0;
    for (let k = 0; k < a.columns; k++) sum += at(a, i, k) * at(b, k, j);
    return sum;
  });

const positive = (size: number) => {
  const a = randomMatrix(size + 3, size);
  return plainProduct(transposed(a), a);
};

function expectClose(a: Matrix, b: Matrix, digits = 9): void {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  const furthest = Math.max(...a.data.map((x, i) => Math.abs(x - (b.data[i] as number))));
  expect(furthest).toBeLessThan(10 ** -digits);
}

const identity = (size: number) => matrix(size, size, (i, j) => (i === j ? 1 : 0));

describe("linear algebra", () => {
  test("products are those of the definition", () => {
    const [a, b, c] = [randomMatrix(3, 5), randomMatrix(5, 4), randomMatrix(3, 4)];
    expectClose(product(a, b), plainProduct(a, b));
    expectClose(transposedProduct(a, c), plainProduct(transposed(a), c));
  });

  test.each([1, 2, 7, 30])("Cholesky's factor of size %i multiplies back, and solves", (size) => {
    const a = positive(size);
    const lower = cholesky(a);
    for (let i = 0; i < size; i++) for (let j = i + 1; j < size; j++) expect(at(lower, i, j)).toBe(0);
    expectClose(plainProduct(lower, transposed(lower)), a);
    const b = randomMatrix(size, 3);
    expectClose(plainProduct(a, solve(lower, b)), b, 6);
  });

  test("a matrix that is not positive definite is refused", () => {
    expect(() => cholesky(matrix(2, 2, (i, j) => (i === j ? 1 : 2)))).toThrow(RangeError);
  });

  test("eigenvectors are orthonormal, ascending, and what the matrix does to them is their value", () => {
    const a = positive(12);
    const { values, vectors } = eigen(a);
    expect([...values]).toEqual([...values].sort((x, y) => x - y));
    expectClose(plainProduct(transposed(vectors), vectors), identity(12));
    expectClose(
      plainProduct(a, vectors),
      matrix(12, 12, (i, j) => at(vectors, i, j) * (values[j] as number)),
      7,
    );
  });

  test("a root's square is the matrix", () => {
    const a = positive(6);
    expectClose(plainProduct(squareRoot(a), squareRoot(a)), a, 8);
  });

  test("the nearest orthogonal matrix undoes a stretch, and a singular matrix gives the identity", () => {
    const turn = eigen(positive(5)).vectors;
    expectClose(nearestOrthogonal(plainProduct(turn, positive(5))), turn, 7);
    expectClose(nearestOrthogonal(matrix(3, 3)), identity(3));
  });

  test("the largest eigenvector of a Hermitian matrix is that of its real form of twice the size", () => {
    const size = 4;
    const [x, y] = [randomMatrix(size, size), randomMatrix(size, size)];
    // A = (X + iY)ᴴ(X + iY): real part XᵀX + YᵀY, imaginary part XᵀY − YᵀX.
    const [xx, yy] = [transposedProduct(x, x), transposedProduct(y, y)];
    const [xy, yx] = [transposedProduct(x, y), transposedProduct(y, x)];
    const re = matrix(size, size, (i, j) => at(xx, i, j) + at(yy, i, j));
    const im = matrix(size, size, (i, j) => at(xy, i, j) - at(yx, i, j));
    const real = matrix(2 * size, 2 * size, (i, j) => {
      const [row, column] = [i % size, j % size];
      if (i < size === j < size) return at(re, row, column);
      return i < size ? -at(im, row, column) : at(im, row, column);
    });
    const found = largestVector({ size, re: re.data, im: im.data });
    expect(found.value).toBeCloseTo(eigen(real).values.at(-1) as number, 8);
    const stacked = matrix(2 * size, 1, (i) => (i < size ? found.re[i] : found.im[i - size]) as number);
    expectClose(
      plainProduct(real, stacked),
      matrix(2 * size, 1, (i) => found.value * at(stacked, i, 0)),
      7,
    );
  });
});
