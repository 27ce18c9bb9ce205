// The goldens of other projects' models, and their folders as those projects would write them.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeHeader } from "../../../src/checkpoint/safetensors.ts";
import type { StoredType } from "../../../src/checkpoint/safetensors-header.ts";
import { toBfloat16, toFloat16 } from "../../../src/tensor/half.ts";
import { trainBpe } from "../../../src/text/bpe-training.ts";
import { corpus } from "../../text/strings.ts";
import { fill } from "./weights.ts";

/** What another project's code gave. */
export interface Golden {
  readonly config: Record<string, unknown>;
  /** File, name, type and shape of each tensor. */
  readonly tensors: readonly (readonly [file: string, name: string, stored: StoredType, shape: readonly number[]])[];
  /** The context to import with, if other than the config's. */
  readonly context?: number;
  readonly tokens: readonly number[];
  readonly prompt: readonly number[];
  /** What follows the prompt. */
  readonly greedy: readonly number[];
  /** Where in the tokens the logits are. */
  readonly positions: readonly number[];
  readonly logits: string;
}

const folder = new URL(".", import.meta.url).pathname;

/** The names of all goldens. */
export const goldenNames = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length));

/** The golden called `name`. */
export function golden(name: string): Golden {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
}

/** Its logits, `[positions, vocab]`. */
export function logitsOf({ logits }: Golden): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(logits, "base64")).buffer);
}

const narrowed: Partial<Record<StoredType, (x: number) => number>> = { F16: toFloat16, BF16: toBfloat16 };

/** A tensor's bytes as it is stored. */
export function bytesOf(name: string, stored: StoredType, shape: readonly number[]): Uint8Array {
  const values = fill(name, shape);
  const narrow = narrowed[stored];
  return new Uint8Array((narrow ? Uint16Array.from(values, narrow) : values).buffer);
}

/** A tokenizer for vocabularies of 300. */
export const tokenizer = trainBpe(corpus, { vocab: 290 });

/** One tensor of a file that is written. */
export type WrittenTensor = readonly [name: string, stored: StoredType, shape: readonly number[], bytes?: Uint8Array];

/** Writes a safetensors file. */
export function writeTensors(path: string, tensors: readonly WrittenTensor[]): void {
  const described = tensors.map(([name, stored, shape]) => ({ name, stored, shape }));
  const data = tensors.map(([name, stored, shape, bytes]) => bytes ?? bytesOf(name, stored, shape));
  writeFileSync(path, Buffer.concat([encodeHeader(described), ...data]));
}

/** Writes a golden's folder. `change` is what makes it another model's, or a damaged one's. */
export function writeFolder(
  path: string,
  { config, tensors }: Golden,
  change: (tensors: Golden["tensors"]) => Golden["tensors"] = (all) => all,
): void {
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  writeFileSync(join(path, "tokenizer.json"), JSON.stringify(tokenizer.json));
  const files = byFile(change(tensors));
  for (const [file, own] of files) {
    writeTensors(
      join(path, file),
      own.map(([, name, stored, shape]) => [name, stored, shape]),
    );
  }
  if (files.size === 1) return;
  const map = Object.fromEntries([...files].flatMap(([file, own]) => own.map(([, name]) => [name, file])));
  writeFileSync(join(path, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
}

function byFile(tensors: Golden["tensors"]): Map<string, Golden["tensors"][number][]> {
  const files = new Map<string, Golden["tensors"][number][]>();
  for (const tensor of tensors) files.set(tensor[0], [...(files.get(tensor[0]) ?? []), tensor]);
  return files;
}
