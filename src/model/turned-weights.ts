// A model's weights for a residual stream that is turned: multiplied by an orthogonal matrix, which a norm does not see (its
// mean square stays) and which the matrices that write and read the stream can undo. The function is the same; but a
// stream's few huge dimensions, which a scale for each row would round all others away by, are spread over all of them
// (QuaRot, arXiv 2404.00456). Scales of norms go to the matrices that read them.

import { Random } from "../tensor/random.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { type Parameter, usesOf, weightNamed } from "./parameters.ts";
import { parameterName, type StreamNorm } from "./sites.ts";

/** A parameter's numbers in a turned model. */
export interface TurnedWeights {
  /** As they are looked up, added or scaled with. */
  plain(parameter: Parameter): Tensor<"float32">;
  /** As rows of the stream, or of what is made of it, are multiplied by them; until the next is asked for. */
  product(parameter: Parameter): Tensor<"float32">;
}

/** The weights of a model whose stream is turned. @throws TypeError if one is missing. */
export function turnedWeights(config: ModelConfig, weights: Tensors): TurnedWeights {
  const { width } = config;
  const turn = turning(width);
  const find = (name: string) => weightNamed(weights, name);
  let scratch = new Float32Array(0); // matrices are large, and one is needed at a time
  const copied = ({ data }: Tensor<"float32">) => {
    if (scratch.length < data.length) scratch = new Float32Array(data.length);
    const copy = scratch.subarray(0, data.length);
    copy.set(data);
    return copy;
  };
  const normOf = (norm: StreamNorm, layer: number | undefined) =>
    find(layer === undefined || norm === "norm" ? norm : parameterName(norm, layer)).data;
  return {
    plain(parameter) {
      const { name, site, shape } = parameter;
      const tensor = find(name);
      if (!site.axes.includes("width")) return tensor;
      if (site.kind === "norm") return { ...tensor, data: new Float32Array(width).fill(1) };
      const data = tensor.data.slice();
      turn(data, shape[site.axes.indexOf("width") + 1] ?? 1);
      return { ...tensor, data };
    },
    product(parameter) {
      const { name, site, layer, shape } = parameter;
      const tensor = find(name);
      if (!usesOf(config, parameter).product) throw new TypeError(`turnedWeights: nothing is multiplied by ${name}`);
      const data = copied(tensor);
      if (!site.reads) turn(data, shape[1] as number);
      else {
        const scale = normOf(site.reads(config), layer);
        for (let row = 0; row < data.length; row += width) {
          for (let i = 0; i < width; i++) data[row + i] = (data[row + i] as number) * (scale[i] as number);
        }
        turn(data, 1);
      }
      return { ...tensor, data };
    },
  };
}

/**
 * What multiplies an axis of `width` numbers, each `inner` apart, by an orthogonal matrix, in place: random signs, then a
 * Hadamard matrix of the largest power of two in the width, then a discrete cosine transform of what is left of it.
 */
export function turning(width: number): (data: Float32Array, inner: number) => void {
  const random = new Random(0).split("turning");
  const signs = Int8Array.from({ length: width }, () => (random.uniform() < 0.5 ? -1 : 1));
  let power = 1;
  while (width % (2 * power) === 0) power *= 2;
  const odd = width / power;
  const cosines = Float64Array.from({ length: odd * odd }, (_, at) => {
    const [to, from] = [Math.floor(at / odd), at % odd];
    return Math.sqrt((to === 0 ? 1 : 2) / width) * Math.cos((Math.PI * (from + 0.5) * to) / odd);
  });
  return (data, inner) => {
    const size = width * inner;
    const block = odd * inner; // what one step of the Hadamard matrix leaves together
    const kept = new Float32Array(block);
    for (let start = 0; start < data.length; start += size) {
      const piece = data.subarray(start, start + size);
      if (inner === 1) for (let i = 0; i < width; i++) piece[i] = (piece[i] as number) * (signs[i] as number);
      else for (let i = 0; i < width; i++) if (signs[i] === -1) negate(piece.subarray(i * inner, (i + 1) * inner));
      for (let half = block; half < size; half *= 2) addHalves(piece, half);
      if (odd > 1) for (let at = 0; at < size; at += block) cosineTransform(piece, at, inner, kept);
      else for (let i = 0; i < size; i++) piece[i] = (piece[i] as number) * (cosines[0] as number);
    }
  };

  function cosineTransform(data: Float32Array, at: number, inner: number, kept: Float32Array): void {
    for (let i = 0; i < kept.length; i++) kept[i] = data[at + i] as number;
    for (let to = 0; to < odd; to++) {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let from = 0; from < odd; from++) {
          sum += (kept[from * inner + i] as number) * (cosines[to * odd + from] as number);
        }
        data[at + to * inner + i] = sum;
      }
    }
  }
}

function negate(data: Float32Array): void {
  for (let i = 0; i < data.length; i++) data[i] = -(data[i] as number);
}

/** Sums and differences of every two neighbouring pieces of `half` numbers. */
function addHalves(data: Float32Array, half: number): void {
  for (let piece = 0; piece < data.length; piece += 2 * half) {
    for (let i = piece; i < piece + half; i++) {
      const a = data[i] as number;
      const b = data[i + half] as number;
      data[i] = a + b;
      data[i + half] = a - b;
    }
  }
}
