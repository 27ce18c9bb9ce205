// Opens another project's model by what it is: a folder, or a file of a known kind.

import { statSync } from "node:fs";
import { InputError } from "../error.ts";
import type { ForeignCheckpoint } from "./foreign-checkpoint.ts";
import { openGguf } from "./gguf-checkpoint.ts";
import { type FolderOptions, openHuggingFace } from "./hugging-face-checkpoint.ts";
import { openLlama2c } from "./llama2c-checkpoint.ts";

/**
 * Opens `spec`: a Hugging Face folder, `hf:owner/name[@revision]`, a .gguf, or a .bin of llama2.c.
 * @throws InputError if it is none of these, or what it holds cannot be computed.
 */
export async function openCheckpoint(spec: string, options: FolderOptions = {}): Promise<ForeignCheckpoint> {
  if (spec.startsWith("hf:")) return openHuggingFace(spec, options);
  const found = statSync(spec, { throwIfNoEntry: false });
  if (!found) throw new InputError(`${spec}: is not there; give a model's folder or file, or hf:owner/name`);
  if (found.isDirectory()) return openHuggingFace(spec, options);
  if (/\.gguf$/i.test(spec)) return openGguf(spec, options.tokenizer);
  if (spec.endsWith(".bin")) {
    if (options.tokenizer !== undefined) return openLlama2c(spec, options.tokenizer);
    throw new InputError(`${spec}: a model of llama2.c has its vocabulary in another file; give it with --tokenizer`);
  }
  throw new InputError(
    `${spec}: is no model's file that is known; give a folder with config.json and safetensors, a .gguf, or a .bin of llama2.c`,
  );
}
