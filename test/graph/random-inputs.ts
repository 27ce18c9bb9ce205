// Graph inputs together with random contents to feed them: what the tests of single operations build on.

import { resolve } from "../../src/graph/dim.ts";
import type { OpName } from "../../src/graph/op.ts";
import { input } from "../../src/graph/trace.ts";
import type { Shape, Value } from "../../src/graph/value.ts";
import { allocate, type DataOf, type DType } from "../../src/tensor/dtype.ts";
import { Random } from "../../src/tensor/random.ts";
import { sizeOf, type Tensors } from "../../src/tensor/tensor.ts";

/** A use of an operation: builds the value, or the values, to look at. */
export type Case = (given: RandomInputs) => Value | readonly Value[];

/** Uses of every operation by what they try. */
export type Cases<Other = never> = { readonly [N in OpName]: Readonly<Record<string, Case>> | Other };

/** Makes inputs `x0`, `x1` … inside a trace and keeps what to feed them in `feeds`. */
export class RandomInputs {
  readonly feeds: Tensors = {};
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Standard normal numbers, times `scale`. `sizes` says how large named dimensions are. */
  normal(shape: Shape, { scale = 1, ...sizes }: Record<string, number> = {}): Value {
    return this.#fill("float32", shape, sizes, () => scale * this.#random.normal());
  }

  /** Numbers in [0.5, 2). */
  positive(shape: Shape): Value {
    return this.#fill("float32", shape, {}, () => 0.5 + 1.5 * this.#random.uniform());
  }

  /** Whole numbers in [0, below). */
  indices(shape: Shape, below: number, dtype: "int32" | "int64" = "int32", sizes: Record<string, number> = {}): Value {
    return this.#fill(dtype, shape, sizes, () => this.#random.below(below));
  }

  /** Whole numbers in [0, 256), or of fewer bits. */
  bytes(shape: Shape, { bits = 8, ...sizes }: Record<string, number> = {}): Value {
    return this.#fill("uint8", shape, sizes, () => this.#random.below(2 ** bits));
  }

  /** Whole numbers in [−127, 128). */
  signed(shape: Shape, sizes: Record<string, number> = {}): Value {
    return this.#fill("int8", shape, sizes, () => this.#random.below(255) - 127);
  }

  /** Whole float32 numbers in [−127, 128); 127 starts each block of 32, so that rounding a block to 8 bits is exact. */
  whole(shape: Shape, sizes: Record<string, number> = {}): Value {
    const width = shape.at(-1) as number;
    let place = 0;
    const draw = () => ((place++ % width) % 32 === 0 ? 127 : this.#random.below(255) - 127);
    return this.#fill("float32", shape, sizes, draw);
  }

  /** These very numbers. */
  exactly(dtype: DType, shape: readonly number[], numbers: readonly number[]): Value {
    let next = 0;
    return this.#fill(dtype, shape, {}, () => numbers[next++] as number);
  }

  #fill(dtype: DType, shape: Shape, sizes: Record<string, number>, draw: () => number): Value {
    const name = `x${Object.keys(this.feeds).length}`;
    const fixed = shape.map((dim) => resolve(dim, sizes));
    const data = allocate(dtype, sizeOf(fixed)) as DataOf<"float32">;
    for (let i = 0; i < data.length; i++) data[i] = (dtype === "int64" ? BigInt(draw()) : draw()) as number;
    this.feeds[name] = { dtype, shape: fixed, data };
    return input(name, dtype, shape);
  }
}
