// Weights as safetensors: one file, or several with an index where they are large.

import { join } from "node:path";
import { type WrittenTensor, writeChecked } from "../checkpoint/checked-writer.ts";
import { storedTypes } from "../checkpoint/safetensors-header.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { encodeJson } from "../files/json-file.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** How long work is watched and stopped. */
export interface Watch {
  /** Told how many of `total` bytes are written. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const bytesOf = ({ shape, stored }: WrittenTensor) => sizeOf(shape) * storedTypes[stored].bytes;

/** Writes `tensors` into a folder, at most `shardBytes` a file but for a tensor that is larger. Returns their bytes. */
export async function writeCheckpoint(
  folder: string,
  tensors: readonly WrittenTensor[],
  { shardBytes, onProgress, signal }: Watch & { readonly shardBytes: number },
): Promise<number> {
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  let done = 0;
  const watched = (tensor: WrittenTensor): WrittenTensor => ({
    ...tensor,
    async *bytes() {
      for await (const piece of tensor.bytes()) {
        signal?.throwIfAborted();
        yield piece;
        done += piece.length;
        onProgress?.(done, total);
      }
    },
  });
  const shards = split(tensors, shardBytes);
  const places: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const part = (number: number) => String(number).padStart(5, "0");
    const file =
      shards.length === 1 ? "model.safetensors" : `model-${part(i + 1)}-of-${part(shards.length)}.safetensors`;
    for (const { name } of shard) places[name] = file;
    await writeChecked(join(folder, file), shard.map(watched), { format: "pt" }); // which loaders of PyTorch ask for
  }
  if (shards.length > 1) {
    const index = { metadata: { total_size: total }, weight_map: places };
    await writeAtomic(join(folder, "model.safetensors.index.json"), [encodeJson(index)]);
  }
  return total;
}

function split(tensors: readonly WrittenTensor[], most: number): WrittenTensor[][] {
  const shards: WrittenTensor[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (filled > 0 && filled + bytes > most) {
      shards.push([]);
      filled = 0;
    }
    (shards.at(-1) as WrittenTensor[]).push(tensor);
    filled += bytes;
  }
  return shards;
}
