// The decoding benchmark's model in plain float64 loops: what `--check` compares a contender with.

import { biases, block, matrices, normEpsilon, quantized, ropeTheta, values } from "./decode_workload.mjs";

/** A model to run one token at a time. Rotated pairs are elements 2i and 2i + 1 of a head if `interleaved`. */
export function reference(size, interleaved) {
  const { layers, width, heads, kvHeads, headDim } = size;
  const weights = Object.fromEntries(matrices(size).map((matrix) => [matrix.name, dequantized(matrix)]));
  const added = Object.fromEntries(biases(size).map((bias) => [bias.name, values(bias)]));
  const group = heads / kvHeads;

  /** Logits `[V]` after `token`; `cache[layer]` holds the rotated keys and the values so far, and gets this token's. */
  return function step(token, cache) {
    let x = weights.embed.slice(token * width, (token + 1) * width);
    for (let layer = 0; layer < layers; layer++) {
      const use = (name, input) => {
        const product = times(weights[`layers.${layer}.${name}`], input);
        const bias = added[`layers.${layer}.${name}`];
        return bias ? add(product, bias) : product;
      };
      const { keys, values } = cache[layer];
      const position = keys.length;
      const normed = rmsNorm(x);
      keys.push(rotate(use("k", normed), position));
      values.push(use("v", normed));
      const queries = rotate(use("q", normed), position);
      const mixed = new Float64Array(heads * headDim);
      for (let head = 0; head < heads; head++) {
        const [at, kvAt] = [head * headDim, Math.floor(head / group) * headDim];
        const query = queries.subarray(at, at + headDim);
        const scores = keys.map((key) => Math.exp(dot(query, key.subarray(kvAt)) / Math.sqrt(headDim)));
        const total = scores.reduce((a, b) => a + b);
        for (let i = 0; i < headDim; i++) {
          mixed[at + i] = values.reduce((sum, value, j) => sum + (scores[j] / total) * value[kvAt + i], 0);
        }
      }
      x = add(x, use("o", mixed));
      const stream = rmsNorm(x);
      const up = use("up", stream);
      const gated = use("gate", stream).map((gate, i) => (gate / (1 + Math.exp(-gate))) * up[i]);
      x = add(x, use("down", gated));
    }
    return times(weights.embed, rmsNorm(x));
  };

  function rotate(vector, position) {
    const half = headDim / 2;
    const rotated = vector.slice();
    for (let head = 0; head < vector.length; head += headDim) {
      for (let i = 0; i < half; i++) {
        const angle = position * ropeTheta ** (-i / half);
        const [a, b] = interleaved ? [head + 2 * i, head + 2 * i + 1] : [head + i, head + half + i];
        rotated[a] = vector[a] * Math.cos(angle) - vector[b] * Math.sin(angle);
        rotated[b] = vector[b] * Math.cos(angle) + vector[a] * Math.sin(angle);
      }
    }
    return rotated;
  }
}

/** Nothing read yet. */
export function emptyCache({ layers }) {
  return Array.from({ length: layers }, () => ({ keys: [], values: [] }));
}

/** Root mean square of the differences over that of `expected`. */
export function relativeError(found, expected) {
  const square = (numbers) => numbers.reduce((sum, number) => sum + number ** 2, 0);
  return Math.sqrt(square(expected.map((number, i) => found[i] - number)) / square(expected));
}

function dequantized(matrix) {
  const { codes, scales } = quantized(matrix);
  return Float64Array.from(codes, (code, i) => code * scales[Math.floor(i / block)]);
}

function times(matrix, vector) {
  const columns = vector.length;
  const product = new Float64Array(matrix.length / columns);
  for (let row = 0; row < product.length; row++) product[row] = dot(vector, matrix.subarray(row * columns));
  return product;
}

function dot(vector, other) {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i] * other[i];
  return sum;
}

function add(a, b) {
  return a.map((number, i) => number + b[i]);
}

function rmsNorm(x) {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + normEpsilon);
  return x.map((number) => number * scale);
}
