// A dimension's size as a term: a number, a named size, or a product of them. Names are opaque: none is ever parsed.
// Knows nothing of values, operations or what a size is used for.

/** A dimension: a number, the name of one that is known only when the graph runs, or a product with such names. */
export type Dim = number | string | Product;

/** A whole factor times one or more named sizes; made by `times`, which gives a plain number or name where that is all. */
export class Product {
  readonly factor: number;
  /** In the order they were multiplied, which is how they are written; it does not matter for equality. */
  readonly names: readonly string[];

  constructor(factor: number, names: readonly string[]) {
    this.factor = factor;
    this.names = names;
  }

  /** As in `T·4` and `B·M`. */
  toString(): string {
    return [...this.names, ...(this.factor === 1 ? [] : [this.factor])].join("·");
  }
}

/** The product of dimensions; 1 of none. */
export function times(...dims: readonly Dim[]): Dim {
  const factor = dims.reduce<number>((product, dim) => product * factorOf(dim), 1);
  const names = dims.flatMap(namesOf);
  const [name] = names;
  if (name === undefined || factor === 0) return factor;
  return names.length === 1 && factor === 1 ? name : new Product(factor, names);
}

/** True where two dimensions are the same term: one factor, and the same names in any order. */
export function sameDim(a: Dim, b: Dim): boolean {
  if (a === b) return true;
  const [x, y] = [[...namesOf(a)].sort(), [...namesOf(b)].sort()];
  return factorOf(a) === factorOf(b) && x.length === y.length && x.every((name, i) => name === y[i]);
}

/** The number in a dimension: 4 of `T·4`, 1 of a name. */
export function factorOf(dim: Dim): number {
  return typeof dim === "number" ? dim : typeof dim === "string" ? 1 : dim.factor;
}

/** The named sizes in a dimension. */
export function namesOf(dim: Dim): readonly string[] {
  return typeof dim === "number" ? [] : typeof dim === "string" ? [dim] : dim.names;
}

/** The number that a dimension is where its names have these sizes; throws a TypeError naming one that has none. */
export function resolve(dim: Dim, sizes: Readonly<Record<string, number>>): number {
  return namesOf(dim).reduce((product, name) => {
    const size = sizes[name];
    if (size === undefined) throw new TypeError(`size ${name} of dimension ${dim} is not given`);
    return product * size;
  }, factorOf(dim));
}
