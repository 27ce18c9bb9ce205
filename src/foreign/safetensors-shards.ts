// The tensors of a folder's safetensors: one file, or several with an index. Knows no models.

import { openSafetensors, type SafetensorsFile } from "../checkpoint/safetensors.ts";
import { bytesOf, quote } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../error.ts";
import type { OpenByteSource } from "../files/byte-source.ts";
import { isObject } from "../files/json-file.ts";
import { sizeOf } from "../tensor/tensor.ts";
import type { ForeignTensor } from "./foreign-checkpoint.ts";
import { type ModelFolder, readFolderJson } from "./model-folder.ts";

const single = "model.safetensors";
/** What tells which file of a folder has which tensor. */
export const indexFile = "model.safetensors.index.json";

/** The tensors of a folder, and what closes its files. */
export interface Shards extends AsyncDisposable {
  readonly tensors: ReadonlyMap<string, ForeignTensor>;
}

/** Opens a folder's safetensors. @throws InputError if there are none, one is missing or damaged, or two hold one tensor. */
export async function openShards(folder: ModelFolder): Promise<Shards> {
  const sources: OpenByteSource[] = [];
  const close = async () => {
    for (const source of sources) await source[Symbol.asyncDispose]();
  };
  try {
    const tensors = new Map<string, ForeignTensor>();
    const found = new Map<string, string>(); // the file of each tensor
    const { files, places } = await shardsOf(folder);
    for (const name of files) {
      const source = await folder.open(name);
      sources.push(source);
      const file = await openSafetensors(source);
      for (const tensor of file.names) {
        const other = tensors.get(tensor);
        if (other) throw new InputError(`${file.path}: tensor ${quote(tensor)} is in ${other.file} too; keep one`);
        tensors.set(tensor, foreignTensor(file, tensor));
        found.set(tensor, name);
      }
    }
    for (const [tensor, file] of places) {
      if (found.get(tensor) !== file) {
        throw new InputError(
          `${folder.nameOf(file)}: has no tensor ${quote(tensor)}, which ${indexFile} says is in it`,
        );
      }
    }
    return { tensors, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function shardsOf(folder: ModelFolder): Promise<{ files: string[]; places: [string, string][] }> {
  if (folder.files.includes(indexFile)) {
    const index = await readFolderJson(folder, indexFile);
    const map = isObject(index) ? index.weight_map : undefined;
    if (!isObject(map)) throw new InputError(`${folder.nameOf(indexFile)}: must have a weight_map of tensors to files`);
    const places = Object.entries(map).map(([tensor, file]): [string, string] => {
      if (typeof file === "string" && folder.files.includes(file)) return [tensor, file];
      const found = typeof file === "string" ? quote(file) : typeof file;
      throw new InputError(`${folder.nameOf(indexFile)}: tensor ${quote(tensor)} is in ${found}, which is not there`);
    });
    return { files: [...new Set(places.map(([, file]) => file))], places };
  }
  if (folder.files.includes(single)) return { files: [single], places: [] };
  const others = folder.files.filter((file) => file.endsWith(".safetensors"));
  if (others.length === 1) return { files: others, places: [] };
  const older = folder.files.some((file) => /^pytorch_model.*\.bin$|\.pth?$/.test(file));
  const advice = older
    ? "its weights are pickled, which can run code when they are read; save them as safetensors (save_pretrained of transformers does)"
    : "is it a model's folder?";
  throw new InputError(`${folder.name}: has no ${single} and no ${indexFile}; ${advice}`);
}

function foreignTensor(file: SafetensorsFile, name: string): ForeignTensor {
  const { stored, shape } = file.info(name);
  const rowBytes = bytesOf(stored, sizeOf(shape.slice(1)));
  return { file: file.path, stored, shape, read: (from, to) => file.range(name, from * rowBytes, to * rowBytes) };
}
