// A model's parameters as another project's tensors: the table of layouts read backwards. One tensor is in memory at a time.

import type { WrittenTensor } from "../checkpoint/checked-writer.ts";
import { bytesOf, type StoredType } from "../checkpoint/safetensors-header.ts";
import { type ForeignTensorShape, foreignTensors, type Layout } from "../foreign/layout.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { type ModelWeights, type StoredTensor, widened } from "./model-weights.ts";

/** Every tensor of the layout, in the order of the data flow. */
export function laidOut({ config, tensors }: ModelWeights, layout: Layout): WrittenTensor[] {
  return [...foreignTensors(config, layout).values()].map((shape) => {
    const parts = shape.parts.map(({ parameter }) => tensors.get(parameter.name) as StoredTensor);
    const types = new Set(parts.map(({ stored }) => stored));
    const alike = types.size === 1 ? parts : parts.map(widened);
    const { stored } = alike[0] as StoredTensor;
    return { name: shape.name, stored, shape: shape.shape, bytes: () => joined(shape, stored, alike) };
  });
}

/** The bytes of a tensor: the rows of its parts, each where the layout has it. */
async function* joined(
  { shape, parts }: ForeignTensorShape,
  stored: StoredType,
  tensors: readonly StoredTensor[],
): AsyncGenerator<Uint8Array> {
  const [only] = tensors;
  if (tensors.length === 1 && !parts[0]?.rows) {
    yield await (only as StoredTensor).bytes();
    return;
  }
  const rowBytes = bytesOf(stored, sizeOf(shape.slice(1)));
  const whole = new Uint8Array((shape[0] as number) * rowBytes);
  for (const [i, tensor] of tensors.entries()) {
    const bytes = await tensor.bytes();
    const rows = parts[i]?.rows;
    for (let row = 0; row * rowBytes < bytes.length; row++) {
      whole.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), (rows ? rows(row) : row) * rowBytes);
    }
  }
  yield whole;
}
