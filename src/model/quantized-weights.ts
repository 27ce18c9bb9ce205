// A model's weights in 8 or 4 bits, for inference. Matrices that rows are multiplied by are rounded; everything else stays
// float32. A tied embedding table is kept twice: in float32 for looking tokens up, and rounded as the head. With one scale
// for a whole row, weights are those of a turned model (see `turned-weights.ts`).

import { InputError } from "../error.ts";
import { quantizedBlock } from "../graph/ops.ts";
import { input } from "../graph/trace.ts";
import type { Value } from "../graph/value.ts";
import { sizeOf, type Tensor, type Tensors } from "../tensor/tensor.ts";
import type { DecoderConfig, ModelConfig } from "./config.ts";
import {
  type BlockDtype,
  blockShapes,
  isInBlocks,
  isRounded,
  type QuantizedDtype,
  type WeightDtype,
  weightFormats,
} from "./formats.ts";
import { type Parameter, parameters, usesOf, weightNamed } from "./parameters.ts";
import { turnedWeights } from "./turned-weights.ts";

/** The names of what a matrix becomes; see `quantizedMatmul` for what they hold in blocks, `quantizeRows` by rows. */
export const quantizedNames = (matrix: string) => ({ codes: `${matrix}.q`, scales: `${matrix}.scales` });

/** Weights as the engine keeps them in `dtype`. @throws InputError as `quantizeWeights` does. */
export function keptWeights(config: ModelConfig, weights: Tensors, dtype: WeightDtype): Tensors {
  return isRounded(dtype) ? quantizeWeights(config, weights, dtype) : weights;
}

/** Graph inputs for what `quantizeWeights` makes, by name: what `weightsOf` takes instead of `weightInputs`. */
export function quantizedInputs(config: DecoderConfig, dtype: QuantizedDtype): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const parameter of parameters(config)) {
    const { name, shape } = parameter;
    const { product, plain } = usesOf(config, parameter);
    if (plain) values.set(name, input(name, "float32", shape));
    if (!product) continue;
    const { codes, scales } = quantizedNames(name);
    if (isInBlocks(dtype)) {
      const shapes = blockShapes(shape, dtype);
      values.set(codes, input(codes, "uint8", shapes.codes));
      values.set(scales, input(scales, "float32", shapes.scales));
    } else {
      values.set(codes, input(codes, "int8", shape.toReversed()));
      values.set(scales, input(scales, "float32", shape.slice(0, 1)));
    }
  }
  return values;
}

/**
 * Weights with every matrix rounded; what stays float32 is shared with `weights`, if the stream is not turned.
 * @throws InputError if a matrix holds NaN or infinities.
 */
export function quantizeWeights(config: ModelConfig, weights: Tensors, dtype: QuantizedDtype): Tensors {
  const find = ({ name }: Parameter) => weightNamed(weights, name);
  const numbers = isInBlocks(dtype) ? { plain: find, product: find } : turnedWeights(config, weights);
  const result: Tensors = {};
  for (const parameter of parameters(config)) {
    const { name } = parameter;
    const { product, plain } = usesOf(config, parameter);
    if (plain) result[name] = numbers.plain(parameter);
    if (!product) continue;
    const matrix = numbers.product(parameter);
    const made = isInBlocks(dtype) ? quantizeMatrix(matrix, dtype) : quantizeRows(matrix);
    if (!made) throw new InputError(`weights: ${name} holds numbers that are not finite; they cannot be ${dtype}`);
    const names = quantizedNames(name);
    result[names.codes] = made.codes;
    result[names.scales] = made.scales;
  }
  return result;
}

/**
 * Rounds each block of a row; undefined where something is not finite. The number of largest magnitude becomes code 0,
 * the one without an opposite, so a scale has that number's opposite sign. This makes steps smaller than in a symmetric
 * range: on normal numbers the RMS error is 8.6% in 4 bits (instead of 9.7%) and 0.53% in 8. A number near the opposite
 * of the largest is cut off, by a step at most.
 */
function quantizeMatrix(
  { shape, data }: Tensor<"float32">,
  dtype: BlockDtype,
): { codes: Tensor<"uint8">; scales: Tensor<"float32"> } | undefined {
  const shapes = blockShapes(shape, dtype);
  const [, blocks] = shapes.scales;
  const columns = shape[1] as number;
  const { bits } = weightFormats[dtype];
  const zero = 2 ** (bits - 1);
  const top = 2 * zero - 1;
  const codes = new Uint8Array(sizeOf(shapes.codes));
  const scales = new Float32Array(sizeOf(shapes.scales));
  let nothing = 0; // NaN once something is not finite
  for (let block = 0, place = 0; block < scales.length; block++) {
    const row = Math.floor(block / blocks);
    const start = row * columns + (block - row * blocks) * quantizedBlock;
    const end = Math.min(start + quantizedBlock, (row + 1) * columns);
    let extreme = 0;
    for (let i = start; i < end; i++) {
      const number = data[i] as number;
      nothing += number * 0;
      if (Math.abs(number) > Math.abs(extreme)) extreme = number;
    }
    const scale = Math.fround(-extreme / zero);
    const inverse = scale === 0 ? 0 : 1 / scale;
    scales[block] = scale;
    for (let i = start; i < start + quantizedBlock; place++) {
      let byte = 0;
      for (let shift = 0; shift < 8; shift += bits, i++) {
        const number = i < end ? (data[i] as number) : 0; // the rest of a block cut short is zeros
        byte |= Math.min(top, (number * inverse + zero + 0.5) | 0) << shift;
      }
      codes[place] = byte;
    }
  }
  if (Number.isNaN(nothing)) return undefined;
  return {
    codes: { dtype: "uint8", shape: shapes.codes, data: codes },
    scales: { dtype: "float32", shape: shapes.scales, data: scales },
  };
}

/**
 * Rounds each row of a matrix [out, in] about 0: codes int8 [in, out], as products of whole numbers read them, and a float32
 * scale [out], a 127th of the row's largest magnitude. Undefined where something is not finite.
 */
function quantizeRows({
  shape,
  data,
}: Tensor<"float32">): { codes: Tensor<"int8">; scales: Tensor<"float32"> } | undefined {
  const [rows, columns] = shape as [number, number];
  const codes = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  const tile = new Int8Array(tileRows * columns); // codes of a few rows: those of one column are written side by side
  for (let first = 0; first < rows; first += tileRows) {
    const count = Math.min(tileRows, rows - first);
    for (let row = 0; row < count; row++) {
      const start = (first + row) * columns;
      let largest = 0;
      let nothing = 0; // NaN once something is not finite
      for (let i = start; i < start + columns; i++) {
        const magnitude = Math.abs(data[i] as number);
        nothing += magnitude * 0;
        if (magnitude > largest) largest = magnitude;
      }
      if (Number.isNaN(nothing)) return undefined;
      const scale = Math.fround(largest / 127);
      const inverse = scale === 0 ? 0 : 1 / scale;
      scales[first + row] = scale;
      for (let column = 0; column < columns; column++) {
        const code = (data[start + column] as number) * inverse + 127.5; // as if unsigned: `| 0` cuts towards 0
        tile[row * columns + column] = Math.min(254, code | 0) - 127;
      }
    }
    for (let column = 0; column < columns; column++) {
      for (let row = 0; row < count; row++) codes[column * rows + first + row] = tile[row * columns + column] as number;
    }
  }
  return {
    codes: { dtype: "int8", shape: [columns, rows], data: codes },
    scales: { dtype: "float32", shape: [rows], data: scales },
  };
}

/** Rows that are rounded before their codes are written: as many bytes as a line of the processor's cache has. */
const tileRows = 64;
