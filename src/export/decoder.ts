// A model as an ONNX decoder with past, by the conventions of Hugging Face's exports: token ids, attention mask and
// positions in, logits and the owners' keys and values out. Operators are the standard's; only rounded matrices need one
// of ONNX Runtime's own.

import { times } from "../graph/dim.ts";
import { reshape } from "../graph/ops.ts";
import { input, trace } from "../graph/trace.ts";
import type { ModelConfig } from "../model/config.ts";
import type { WeightDtype } from "../model/formats.ts";
import { keptWeights } from "../model/quantized-weights.ts";
import { logits, transformer, weightInputs, weightsOf } from "../model/transformer.ts";
import { dataTypes, type Emitter } from "../onnx/lowering.ts";
import { type Derived, type OnnxModel, type OnnxOptions, toOnnx } from "../onnx/model.ts";
import { standardLowerings } from "../onnx/standard.ts";
import type { Tensors } from "../tensor/tensor.ts";
import { pastNames, pastStore, placeInputs, sizes } from "./past-store.ts";

/** What the mask adds to the score of a position that is not seen: as far down as float32 goes, and finite. */
const unseen = -3.4028234663852886e38;

const tokenIds = "input_ids";
const attentionMask = "attention_mask";

/**
 * The decoder: `input_ids`, `position_ids [B, S]`, `attention_mask [B, T]` (int64; 0 for padding) and
 * `past_key_values.<slot>.key|value [B, G, P, D]` give `logits [B, S, V]` and `present.<slot>.key|value [B, G, T, D]`,
 * T = P + S.
 * @throws InputError as `toOnnx` and, for rounded weights, `quantizeWeights` do.
 */
export function decoderModel(
  config: ModelConfig,
  weights: Tensors,
  dtype: WeightDtype,
  options: Pick<OnnxOptions, "files" | "insideBytes"> = {},
): OnnxModel {
  const rows = times(sizes.batch, sizes.length);
  const graph = trace(() => {
    const tokens = reshape(input(tokenIds, "int64", [sizes.batch, sizes.length]), [rows]);
    const store = pastStore(config);
    const read = weightsOf(weightInputs(config, dtype));
    const scores = logits(config, read, transformer(config, read, tokens, store));
    return { logits: reshape(scores, [sizes.batch, sizes.length, config.vocab]), ...store.outputs };
  });
  return toOnnx(graph, keptWeights(config, weights, dtype), {
    ...options,
    lowerings: standardLowerings,
    outputName: (name) => name,
    derived: maskOf,
  });
}

/** The graph's mask, of the one that callers give and of the places of what is new: after all that is past. */
const maskOf: Derived = {
  inputs: { [attentionMask]: { dtype: "int64", shape: [sizes.batch, sizes.total] } },
  write: (to) => {
    const of = (opType: string, inputs: readonly string[], attributes = {}) => {
      const name = to.fresh();
      to.emit(opType, inputs, [name], attributes);
      return name;
    };
    const axis = (value: string, at: number) =>
      scalar(to, of("Shape", [value], { start: { int: at }, end: { int: at + 1 } }));
    const [zero, one] = [scalar(to, to.ints([0])), scalar(to, to.ints([1]))];
    const past = axis(pastNames(0, "key").past, 2);
    const total = of("Add", [past, axis(tokenIds, 1)]);
    const keys = of("Range", [zero, total, one]); // [T]
    const queries = of("Unsqueeze", [of("Range", [past, total, one]), to.ints([1])]); // [S, 1]
    const causal = of("Unsqueeze", [of("LessOrEqual", [keys, queries]), to.ints([1])]); // [S, 1, T]
    const given = of("Cast", [attentionMask], { to: { int: dataTypes.bool } });
    const seen = of("And", [of("Unsqueeze", [given, to.ints([1, 2, 3])]), causal]); // [B, 1, S, 1, T]
    return { [placeInputs.mask]: of("Where", [seen, to.float(0), to.float(unseen)]) };
  },
};

function scalar(to: Emitter, vector: string): string {
  const name = to.fresh();
  to.emit("Squeeze", [vector], [name]);
  return name;
}
