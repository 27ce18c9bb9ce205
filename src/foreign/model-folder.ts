// The folder of another project's model: small files whole, large ones in ranges; on disk or on the Hugging Face hub. Knows
// not what is in them.

import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { InputError } from "../error.ts";
import { type OpenByteSource, openFile } from "../files/byte-source.ts";
import { fileError } from "../files/file-error.ts";
import { type HubOptions, HubRepository } from "../files/hub-repository.ts";

/** The most bytes of a file that is read whole: of a tokenizer.json of 256,000 tokens, several times over. */
const largestTextBytes = 2 ** 28;

/** Files by name. */
export interface ModelFolder {
  /** What messages call it. */
  readonly name: string;
  /** What its model is called. */
  readonly title: string;
  readonly files: readonly string[];
  /** What messages call one of its files. */
  nameOf(file: string): string;
  /** A file's bytes. @throws InputError if they cannot be read. */
  open(file: string): Promise<OpenByteSource>;
}

/** The folder at a path, or at `hf:owner/name[@revision]`. @throws InputError if there is none, or it cannot be read. */
export async function openModelFolder(spec: string, options: HubOptions = {}): Promise<ModelFolder> {
  if (spec.startsWith("hf:")) {
    const repository = new HubRepository("model", spec, options);
    const files = await repository.files();
    return {
      ...{ name: spec, title: spec.replace(/^hf:[^/]*\/|[@:].*$/g, "") },
      files: files.map(({ path }) => path).filter((path) => !path.includes("/")),
      nameOf: (file) => `${spec}:${file}`,
      open: async (file) => ({ ...(await repository.open(file)), [Symbol.asyncDispose]: async () => {} }),
    };
  }
  let files: string[];
  try {
    files = readdirSync(spec);
  } catch (error) {
    throw fileError("read", spec, error);
  }
  return {
    ...{ name: spec, title: basename(join(spec, ".").replace(/[/\\]+$/, "")) || "model", files },
    nameOf: (file) => join(spec, file),
    open: (file) => openFile(join(spec, file)),
  };
}

/** A text file; undefined if the folder has none of this name. @throws InputError if it is no text, or endless. */
export async function readText(folder: ModelFolder, file: string): Promise<string | undefined> {
  if (!folder.files.includes(file)) return undefined;
  await using source = await folder.open(file);
  if (source.size > largestTextBytes) {
    throw new InputError(`${folder.nameOf(file)}: ${source.size} bytes are too many for a text file`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await source.read(0, source.size));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${folder.nameOf(file)}: is not text in UTF-8; restore the file`);
  }
}

/** A JSON file's value; undefined if the folder has none of this name. @throws InputError if it is not JSON. */
export async function readFolderJson(folder: ModelFolder, file: string): Promise<unknown> {
  const text = await readText(folder, file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${folder.nameOf(file)}: not JSON (${(error as Error).message}); restore the file`);
  }
}
