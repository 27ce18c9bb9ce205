// Operations for which ONNX Runtime has its own operators, written in operators of the standard (opset 21), so that any
// runtime can read the file. ONNX Runtime fuses most of these patterns again when it loads them.

import type { Value } from "../graph/value.ts";
import type { Emitter, Lowerings } from "./lowering.ts";

/** Rows that take the place of those in `lowerings`. */
export const standardLowerings = {
  matmul: ({ inputs: [a, b], outputs: [out], attributes: { transA, transB, alpha } }, to) => {
    if (a.shape.length === 2 && b.shape.length === 2) {
      const attributes = { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha: { float: alpha } };
      return to.emit("Gemm", [to.name(a), to.name(b)], [to.name(out)], attributes);
    }
    const operands = [transA ? swapped(a, to) : to.name(a), transB ? swapped(b, to) : to.name(b)];
    if (alpha === 1) return to.emit("MatMul", operands, [to.name(out)]);
    const unscaled = to.fresh();
    to.emit("MatMul", operands, [unscaled]);
    to.emit("Mul", [unscaled, to.float(alpha)], [to.name(out)]);
  },

  rmsNorm: ({ inputs: [x, scale], outputs: [out], attributes: { epsilon } }, to) => {
    const [squares, mean, shifted, root, unit] = [to.fresh(), to.fresh(), to.fresh(), to.fresh(), to.fresh()];
    to.emit("Pow", [to.name(x), to.float(2)], [squares]);
    to.emit("ReduceMean", [squares, to.ints([-1])], [mean], { keepdims: { int: 1 } });
    to.emit("Add", [mean, to.float(epsilon)], [shifted]);
    to.emit("Sqrt", [shifted], [root]);
    to.emit("Div", [to.name(x), root], [unit]);
    to.emit("Mul", [unit, to.name(scale)], [to.name(out)]);
  },

  // Heads become an axis [B, T, heads, D], whose halves turn by the rows [B, T, 1, D/2] of the positions.
  rotary: ({ inputs: [x, positions, cos, sin], outputs: [out] }, to) => {
    const half = cos.shape[1] as number;
    const heads = to.fresh();
    to.emit("Reshape", [to.name(x), to.ints([0, 0, (x.shape[2] as number) / (2 * half), 2 * half])], [heads]);
    const part = (start: number) => {
      const name = to.fresh();
      to.emit("Slice", [heads, to.ints([start]), to.ints([start + half]), to.ints([3])], [name]);
      return name;
    };
    const rows = (table: Value) => {
      const [found, spread] = [to.fresh(), to.fresh()];
      to.emit("Gather", [to.name(table), to.name(positions)], [found]);
      to.emit("Unsqueeze", [found, to.ints([2])], [spread]);
      return spread;
    };
    const of = (opType: string, a: string, b: string) => {
      const name = to.fresh();
      to.emit(opType, [a, b], [name]);
      return name;
    };
    const [a, b, c, s] = [part(0), part(half), rows(cos), rows(sin)];
    const turned = to.fresh();
    const halves = [of("Sub", of("Mul", a, c), of("Mul", b, s)), of("Add", of("Mul", b, c), of("Mul", a, s))];
    to.emit("Concat", halves, [turned], { axis: { int: 3 } });
    to.emit("Reshape", [turned, to.ints([0, 0, x.shape[2] as number])], [to.name(out)]);
  },
} as const satisfies Partial<Lowerings>;

/** The name of `x` with its last two axes swapped. */
function swapped(x: Value, to: Emitter): string {
  const perm = [...x.shape.keys()];
  perm.push(...(perm.splice(-2).reverse() as number[]));
  const name = to.fresh();
  to.emit("Transpose", [to.name(x)], [name], { perm: { ints: perm } });
  return name;
}
