// Weights as safetensors: one file, or several with an index where they are large.

import { join } from "node:path";
import {
  storedBytes,
  totalBytes,
  type Watch,
  type WrittenTensor,
  watched,
  writeChecked,
} from "../checkpoint/checked-writer.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { encodeJson } from "../files/json-file.ts";
import { indexFile } from "../foreign/safetensors-shards.ts";

/** Writes `tensors` into a folder, at most `shardBytes` a file but for a tensor that is larger. Returns their bytes. */
export async function writeCheckpoint(
  folder: string,
  tensors: readonly WrittenTensor[],
  { shardBytes, ...watch }: Watch & { readonly shardBytes: number },
): Promise<number> {
  const shards = split(watched(tensors, watch), shardBytes);
  const total = totalBytes(tensors);
  const places: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const part = (number: number) => String(number).padStart(5, "0");
    const file =
      shards.length === 1 ? "model.safetensors" : `model-${part(i + 1)}-of-${part(shards.length)}.safetensors`;
    for (const { name } of shard) places[name] = file;
    await writeChecked(join(folder, file), shard, { format: "pt" }); // which loaders of PyTorch ask for
  }
  if (shards.length > 1) {
    const index = { metadata: { total_size: total }, weight_map: places };
    await writeAtomic(join(folder, indexFile), [encodeJson(index)]);
  }
  return total;
}

function split(tensors: readonly WrittenTensor[], most: number): WrittenTensor[][] {
  const shards: WrittenTensor[][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = storedBytes(tensor);
    if (filled > 0 && filled + bytes > most) {
      shards.push([]);
      filled = 0;
    }
    (shards.at(-1) as WrittenTensor[]).push(tensor);
    filled += bytes;
  }
  return shards;
}
