// The decoder, defined once. What kind of graph it becomes (training, evaluation, decoding) is up to the KvStore.

import { add, cast, gather, matmul, mul, quantizedMatmul, rmsNorm } from "../graph/ops.ts";
import { input, scope } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import type { DecoderConfig } from "./config.ts";
import { isRounded, type WeightDtype } from "./formats.ts";
import { integerProduct, type Rounding, signedRows } from "./integer-rows.ts";
import type { KvStore } from "./kv.ts";
import { attention, mlp, type Weights } from "./layers.ts";
import { headName, parameters } from "./parameters.ts";
import { type Precision, precisions } from "./precision.ts";
import { quantizedInputs, quantizedNames } from "./quantized-weights.ts";
import { layerName } from "./sites.ts";

/** The model's parameters, kept in `format`, as graph inputs by name. */
export function weightInputs(
  config: DecoderConfig,
  format: WeightDtype = "float32",
  precision: Precision = "float32",
): Map<string, Value> {
  if (isRounded(format)) return quantizedInputs(config, format);
  const dtype = precisions[precision].parameters;
  return new Map(parameters(config).map(({ name, shape }) => [name, input(name, dtype, shape)]));
}

/**
 * Looks parameters up; a name the model does not have is a defect of the caller. Matrices multiply as they are there:
 * in `precision`, or as codes and scales (see `quantizedInputs`). Where a scale is a row's, what it multiplies is rounded
 * by `rounding`.
 */
export function weightsOf(
  values: ReadonlyMap<string, Value>,
  precision: Precision = "float32",
  rounding: Rounding = "full",
): Weights {
  const find = (name: string) => {
    const found = values.get(name);
    if (!found) throw new TypeError(`weights: the model has no parameter ${name}`);
    return found;
  };
  const dtypes = precisions[precision];
  const project = (name: string, x: Value, to: "compute" | "reduce" = "compute") => {
    const names = quantizedNames(name);
    const codes = values.get(names.codes);
    if (codes?.dtype === "uint8") return quantizedMatmul(x, codes, find(names.scales));
    if (codes) return mul(integerProduct(signedRows(x, rounding), codes), find(names.scales));
    const [rows, matrix] = [cast(x, dtypes.compute), cast(find(name), dtypes.compute)];
    return cast(matmul(rows, matrix, { transB: true, to: dtypes[to] }), dtypes.reduce);
  };
  return Object.assign(find, { project });
}

/** Token ids `[N]` (int32) to normed hidden states `[N, C]`, on which `logits` works. */
export function transformer(config: DecoderConfig, weights: Weights, tokens: Value, kv: KvStore): Value {
  let x = gather(weights("embed"), tokens); // [N, C]
  for (let layer = 0; layer < config.layers; layer++) {
    x = scope(layerName(layer), () => {
      const attended = add(x, attention(config, weights, layer, x, kv));
      return add(attended, mlp(config, weights, layer, attended));
    });
  }
  return rmsNorm(x, weights("norm"), config.normEpsilon);
}

/** Scores of every token of the vocabulary: `[N, C] → [N, V]`. */
export function logits(config: DecoderConfig, weights: Weights, hidden: Value): Value {
  return weights.project(headName(config), hidden, "reduce");
}
