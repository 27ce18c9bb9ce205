// The body of a function while it is written: every instruction of StableHLO that our graphs need, one method each.
// Knows no operation of ours.

import type { Tensor } from "../tensor/tensor.ts";
import { denseText, type Element, elementText, isFloat, type Type, typesText, typeText } from "./text.ts";

/** A value that is there: its name in the text, and its type. */
export interface Ref extends Type {
  readonly name: string;
}

/** Which axes of the two sides of a product pair up; `batching` ones come first in the result. */
export interface DotAxes {
  readonly batching?: readonly [readonly number[], readonly number[]];
  readonly contracting: readonly [readonly number[], readonly number[]];
}

type Unary = "negate" | "abs" | "round_nearest_even" | "exponential" | "log" | "sqrt" | "rsqrt" | "logistic";
type Binary = "add" | "subtract" | "multiply" | "divide" | "minimum" | "maximum" | "and" | "shift_right_logical";

/** Writes instructions and names their results `%0`, `%1` …; equal constants are written once. */
export class Body {
  readonly lines: string[] = [];
  readonly #highest: boolean;
  readonly #constants = new Map<string, Ref>();
  #count = 0;

  /** With `highest`, products of float32 are exact float32; without it XLA may multiply in fewer bits. */
  constructor({ highest }: { highest: boolean }) {
    this.#highest = highest;
  }

  /** An instruction with one result. */
  emit(instruction: string, type: Type): Ref {
    const name = `%${this.#count++}`;
    this.lines.push(`${name} = ${instruction}`);
    return { name, dtype: type.dtype, shape: type.shape };
  }

  /** An instruction with several results. */
  emitAll(instruction: string, types: readonly Type[]): Ref[] {
    const name = `%${this.#count++}`;
    this.lines.push(`${name}:${types.length} = ${instruction}`);
    return types.map(({ dtype, shape }, i) => ({ name: `${name}#${i}`, dtype, shape }));
  }

  tensor(tensor: Tensor): Ref {
    if (tensor.dtype !== "bool") return this.#constant(denseText(tensor), tensor);
    const bytes = this.#constant(denseText({ ...tensor, dtype: "uint8" } as Tensor), { ...tensor, dtype: "uint8" });
    return this.convert(bytes, "bool");
  }

  /** `number` in every element. */
  full(number: number, type: Type): Ref {
    return this.#constant(`dense<${elementText(number, type.dtype)}>`, type);
  }

  scalar(number: number, dtype: Element): Ref {
    return this.full(number, { dtype, shape: [] });
  }

  unary(op: Unary, x: Ref): Ref {
    return this.emit(`stablehlo.${op} ${x.name} : ${typeText(x)}`, x);
  }

  /** Both sides have the same type. */
  binary(op: Binary, a: Ref, b: Ref): Ref {
    return this.emit(`stablehlo.${op} ${a.name}, ${b.name} : ${typeText(a)}`, a);
  }

  /** With a number on the right. */
  with(op: Binary, a: Ref, number: number): Ref {
    return this.binary(op, a, this.full(number, a));
  }

  convert(x: Ref, dtype: Element): Ref {
    return x.dtype === dtype ? x : this.#turn("convert", x, "", { dtype, shape: x.shape });
  }

  reshape(x: Ref, shape: readonly number[]): Ref {
    return same(x.shape, shape) ? x : this.#turn("reshape", x, "", { dtype: x.dtype, shape });
  }

  transpose(x: Ref, perm: readonly number[]): Ref {
    if (perm.every((axis, i) => axis === i)) return x;
    const shape = perm.map((axis) => x.shape[axis] as number);
    return this.#turn("transpose", x, `, dims = [${perm.join(", ")}]`, { dtype: x.dtype, shape });
  }

  /** `x` repeated to `shape`: its axis i becomes axis `axes[i]`; aligned at the right if not given. */
  broadcast(x: Ref, shape: readonly number[], axes?: readonly number[]): Ref {
    if (same(x.shape, shape)) return x;
    const dims = axes ?? x.shape.map((_, i) => i + shape.length - x.shape.length);
    return this.#turn("broadcast_in_dim", x, `, dims = [${dims.join(", ")}]`, { dtype: x.dtype, shape });
  }

  /** Elements `start` … `end` − 1 of one axis. */
  slice(x: Ref, axis: number, start: number, end: number): Ref {
    if (start === 0 && end === x.shape[axis]) return x;
    const ranges = x.shape.map((length, i) => (i === axis ? `${start}:${end}` : `0:${length}`));
    const shape = x.shape.with(axis, end - start);
    return this.#turn("slice", x, ` [${ranges.join(", ")}]`, { dtype: x.dtype, shape });
  }

  concat(parts: readonly Ref[], axis: number): Ref {
    const [first] = parts as readonly [Ref];
    if (parts.length === 1) return first;
    const length = parts.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
    const type = { dtype: first.dtype, shape: first.shape.with(axis, length) };
    const names = parts.map(({ name }) => name).join(", ");
    return this.emit(`stablehlo.concatenate ${names}, dim = ${axis} : ${typesText(parts)} -> ${typeText(type)}`, type);
  }

  /** `x` with zeros before and after it along one axis. */
  pad(x: Ref, axis: number, before: number, after: number): Ref {
    if (before === 0 && after === 0) return x;
    const along = (count: number) => `[${x.shape.map((_, i) => (i === axis ? count : 0)).join(", ")}]`;
    const type = { dtype: x.dtype, shape: x.shape.with(axis, before + (x.shape[axis] as number) + after) };
    const zero = this.full(0, { dtype: x.dtype, shape: [] });
    const how = `low = ${along(before)}, high = ${along(after)}, interior = ${along(0)}`;
    return this.emit(
      `stablehlo.pad ${x.name}, ${zero.name}, ${how} : ${typesText([x, zero])} -> ${typeText(type)}`,
      type,
    );
  }

  /** Folds `axes` away; floats of 16 bits are added up in float32. */
  reduce(op: "add" | "maximum", x: Ref, axes: readonly number[]): Ref {
    const wide = isFloat(x.dtype) ? this.convert(x, "float32") : x;
    const start = this.scalar(op === "add" ? 0 : least(wide.dtype), wide.dtype);
    const type = { dtype: wide.dtype, shape: x.shape.filter((_, axis) => !axes.includes(axis)) };
    const over = `applies stablehlo.${op} across dimensions = [${axes.join(", ")}]`;
    const types = `${typesText([wide, start])} -> ${typeText(type)}`;
    return this.convert(
      this.emit(`stablehlo.reduce(${wide.name} init: ${start.name}) ${over} : ${types}`, type),
      x.dtype,
    );
  }

  /** The result's axes: the batching ones, then those left of `a`, then those left of `b`. */
  dot(a: Ref, b: Ref, { batching: [batchA, batchB] = [[], []], contracting: [sumA, sumB] }: DotAxes, dtype: Element) {
    const free = (x: Ref, ...taken: readonly (readonly number[])[]) =>
      x.shape.filter((_, axis) => !taken.flat().includes(axis));
    const shape = [
      ...batchA.map((axis) => a.shape[axis] as number),
      ...free(a, batchA, sumA),
      ...free(b, batchB, sumB),
    ];
    const pairs = (left: readonly number[], right: readonly number[]) => `[${left.join(", ")}] x [${right.join(", ")}]`;
    const batch = batchA.length > 0 ? `, batching_dims = ${pairs(batchA, batchB)}` : "";
    const exact = this.#highest && a.dtype === "float32" ? ", precision = [HIGHEST, HIGHEST]" : "";
    const axes = `${batch}, contracting_dims = ${pairs(sumA, sumB)}${exact}`;
    const type = { dtype, shape };
    return this.emit(
      `stablehlo.dot_general ${a.name}, ${b.name}${axes} : ${typesText([a, b])} -> ${typeText(type)}`,
      type,
    );
  }

  /** Every element's index along `axis`. */
  iota(shape: readonly number[], axis: number, dtype: Element): Ref {
    return this.emit(`stablehlo.iota dim = ${axis} : ${typeText({ dtype, shape })}`, { dtype, shape });
  }

  /** Booleans of two int32 or int64 of the same type. */
  compare(how: "EQ" | "GE", a: Ref, b: Ref): Ref {
    const type: Type = { dtype: "bool", shape: a.shape };
    return this.emit(
      `stablehlo.compare ${how}, ${a.name}, ${b.name}, SIGNED : ${typesText([a, b])} -> ${typeText(type)}`,
      type,
    );
  }

  /** Of `yes` where `when` is true, of `no` elsewhere; all of the same shape. */
  select(when: Ref, yes: Ref, no: Ref): Ref {
    return this.emit(
      `stablehlo.select ${when.name}, ${yes.name}, ${no.name} : ${typeText(when)}, ${typeText(yes)}`,
      yes,
    );
  }

  #turn(op: string, x: Ref, how: string, type: Type): Ref {
    return this.emit(`stablehlo.${op} ${x.name}${how} : ${typesText([x])} -> ${typeText(type)}`, type);
  }

  #constant(dense: string, type: Type): Ref {
    const text = `stablehlo.constant ${dense} : ${typeText(type)}`;
    const known = this.#constants.get(text);
    if (known) return known;
    const made = this.emit(text, type);
    this.#constants.set(text, made);
    return made;
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

function least(dtype: Element): number {
  if (isFloat(dtype)) return Number.NEGATIVE_INFINITY;
  if (dtype === "int32") return -(2 ** 31);
  if (dtype === "uint8") return 0;
  throw new TypeError(`stablehlo: no maximum of ${dtype}`);
}
