// Every operation, for those who write graphs.

export { concat, expand, pad, reshape, slice, transpose } from "./ops/arrange.ts";
export { causalAttention, causalAttentionGrad } from "./ops/attention.ts";
export {
  abs,
  add,
  after,
  cast,
  div,
  exp,
  log,
  min,
  mul,
  neg,
  round,
  sigmoid,
  silu,
  sqrt,
  sub,
} from "./ops/elementwise.ts";
export { gather, pick, pickAdd, scatterAdd } from "./ops/lookup.ts";
export { integerMatmul, type MatmulOptions, matmul } from "./ops/matmul.ts";
export { logSumExp, rmsNorm, softmax, softmaxWeighted } from "./ops/normalize.ts";
export { type QuantizedBits, quantizedBlock, quantizedMatmul } from "./ops/quantized-matmul.ts";
export { max, sum, sumSquares, sumTo } from "./ops/reduce.ts";
export { rotary } from "./ops/rotary.ts";
