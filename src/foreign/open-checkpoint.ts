// Opens another project's model by what it is: a folder, or a file of a known kind.

import { statSync } from "node:fs";
import { InputError } from "../error.ts";
import type { ForeignCheckpoint } from "./foreign-checkpoint.ts";
import { type FolderOptions, openHuggingFace } from "./hugging-face-checkpoint.ts";

/** What a model's files leave open. */
export interface OpenOptions extends FolderOptions {
  /** A tokenizer's file, where the model has none. */
  readonly tokenizer?: string | undefined;
}

/**
 * Opens `spec`: a Hugging Face folder, or `hf:owner/name[@revision]`.
 * @throws InputError if it is none of these, or what it holds cannot be computed.
 */
export async function openCheckpoint(spec: string, options: OpenOptions = {}): Promise<ForeignCheckpoint> {
  if (spec.startsWith("hf:")) return openHuggingFace(spec, options);
  const found = statSync(spec, { throwIfNoEntry: false });
  if (!found) throw new InputError(`${spec}: is not there; give a model's folder, or hf:owner/name`);
  if (found.isDirectory()) return openHuggingFace(spec, options);
  throw new InputError(`${spec}: is no model's file that is known; give a folder with config.json and safetensors`);
}
