// Row-major float64 arrays and how to walk them: what the interpreter computes on.

/** Numbers of any dtype as float64: integers exactly, up to 2⁵³. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Anything with a shape and elements, a Tensor for one. */
export interface Given {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

/** The rows along the last axis, as views. */
export function rows({ shape, data }: Numbers): Float64Array[] {
  const width = shape.at(-1) as number;
  return Array.from({ length: size(shape.slice(0, -1)) }, (_, r) => data.subarray(r * width, (r + 1) * width));
}

/** Everything at one index of the first axis, as a view. */
export function rowOf({ shape, data }: Numbers, row: number): Float64Array {
  const width = data.length / (shape[0] as number);
  return data.subarray(row * width, (row + 1) * width);
}

/** The same elements as float64. */
export function numbers({ shape, data }: Given): Numbers {
  return { shape, data: data instanceof Float64Array ? data : Float64Array.from(data as ArrayLike<number>, Number) };
}

/** The array whose element at every index is `f(index)`. */
export function generate(shape: readonly number[], f: (index: readonly number[]) => number): Numbers {
  const data = new Float64Array(size(shape));
  each(shape, (index, place) => {
    data[place] = f(index);
  });
  return { shape, data };
}

/** Visits every index of `shape` in row-major order; the index is one array that changes. */
export function each(shape: readonly number[], visit: (index: readonly number[], place: number) => void): void {
  const index = shape.map(() => 0);
  for (let place = 0, count = size(shape); place < count; place++) {
    visit(index, place);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

/** The element of `x` at `index`, which may be longer than its rank or beyond a dimension of 1 (broadcasting). */
export function at(x: Numbers, index: readonly number[]): number {
  return x.data[offset(x, index)] as number;
}

/** The element of `x` at `index` moved by `by` along `axis`; nothing is broadcast. */
export function beside(x: Numbers, index: readonly number[], axis: number, by: number): number {
  let place = 0;
  for (let i = 0; i < x.shape.length; i++) {
    place = place * (x.shape[i] as number) + (index[i] as number) + (i === axis ? by : 0);
  }
  return x.data[place] as number;
}

/** Where in `x.data` that element is. */
export function offset({ shape }: Numbers, index: readonly number[]): number {
  const extra = index.length - shape.length;
  let place = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const dim = shape[axis] as number;
    place = place * dim + (dim === 1 ? 0 : (index[extra + axis] as number));
  }
  return place;
}

/** The number of elements. */
export function size(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** alpha · op(a) · op(b) over the last two axes, leading ones broadcast. */
export function multiply(a: Numbers, b: Numbers, transA: boolean, transB: boolean, alpha: number): Numbers {
  const [m, k] = lastTwo(a, transA);
  const [, n] = lastTwo(b, transB);
  const rank = Math.max(a.shape.length, b.shape.length) - 2;
  const leading = (x: Numbers, axis: number) => x.shape[axis - rank + x.shape.length - 2] ?? 1;
  const batch = Array.from({ length: rank }, (_, axis) =>
    leading(a, axis) === 1 ? leading(b, axis) : leading(a, axis),
  );
  const data = new Float64Array(size(batch) * m * n);
  let place = 0;
  each(batch, (index) => {
    const [fromA, fromB] = [a, b].map((x) => offset(x, [...index, 0, 0])) as [number, number];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const x = a.data[fromA + (transA ? l * m + i : i * k + l)] as number;
          sum += x * (b.data[fromB + (transB ? j * k + l : l * n + j)] as number);
        }
        data[place++] = alpha * sum;
      }
    }
  });
  return { shape: [...batch, m, n], data };
}

function lastTwo(x: Numbers, swapped: boolean): [number, number] {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  return swapped ? [columns, rows] : [rows, columns];
}

/** eˣ / Σ eˣ along the last axis. */
export function softmax(x: Numbers): Numbers {
  const data = new Float64Array(x.data.length);
  for (const [r, row] of rows(x).entries()) {
    const top = Math.max(...row);
    const powers = row.map((v) => Math.exp(v - top));
    const total = powers.reduce((sum, v) => sum + v, 0);
    data.set(
      powers.map((v) => v / total),
      r * row.length,
    );
  }
  return { shape: x.shape, data };
}

/** `f` folded over `axes`, from `start`. */
export function reduce(
  x: Numbers,
  axes: readonly number[],
  keepDims: boolean,
  start: number,
  f: (a: number, b: number) => number,
) {
  const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const folded = { shape: kept, data: new Float64Array(size(kept)).fill(start) };
  each(x.shape, (index, place) => {
    const to = offset(folded, index);
    folded.data[to] = f(folded.data[to] as number, x.data[place] as number);
  });
  return { ...folded, shape: keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis)) };
}
