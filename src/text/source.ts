// Where documents come from, by a short spec. Knows no tokens and no split.

import { InputError } from "../error.ts";
import { localFile } from "../files/byte-source.ts";
import type { HubFile, HubOptions } from "../files/hub-repository.ts";
import { documentKinds, documentsOf } from "./documents.ts";
import { HubDataset } from "./hub-dataset.ts";
import { localFiles } from "./local-files.ts";
import { sotuDocuments, sotuVersion } from "./sotu.ts";

/** A stream of documents that can be begun again. */
export interface Source {
  /** What it is called in reports. */
  readonly name: string;
  /** The documents in a fixed order; empty ones are left out. Throws InputError where there is none. */
  documents(): AsyncIterable<string>;
  /** A text that changes when the documents do; without it the name stands for them. */
  fingerprint?(): Promise<string>;
}

/** What a spec leaves open. */
export interface SourceOptions extends HubOptions {
  /** The field of a .jsonl or column of a .parquet that has the text; "text" if not given. */
  field?: string;
}

/**
 * Opens a source: `sotu`; a .txt (one document), .jsonl or .parquet file; a directory of these, read recursively in the
 * order of their paths; or `hf:owner/dataset[@revision][:path-prefix]`.
 * @throws InputError where the spec is none of these or the file is missing. What the hub lacks shows when it is read.
 */
export function openSource(spec: string, options: SourceOptions = {}): Source {
  const { field = "text", signal } = options;
  const opened = spec === "sotu" ? sotu() : spec.startsWith("hf:") ? hub(spec, field, options) : local(spec, field);
  return { ...opened, documents: () => nonEmpty(opened, signal) };
}

function sotu(): Required<Source> {
  return { name: "sotu", documents: sotuDocuments, fingerprint: async () => sotuVersion() };
}

function local(path: string, field: string): Required<Source> {
  const list = () => {
    try {
      return localFiles(path);
    } catch (cause) {
      if (!(cause instanceof InputError)) throw cause;
      const right = `sotu, hf:owner/dataset[@revision][:path-prefix], a ${documentKinds.join(" or ")} file, or a directory`;
      throw new InputError(`${cause.message}; a source is ${right} of these`, { cause });
    }
  };
  list();
  return {
    name: path,
    async *documents() {
      for (const { path, size } of list()) yield* documentsOf(localFile(path, size), field);
    },
    fingerprint: async () => JSON.stringify([field, list()]),
  };
}

function hub(spec: string, field: string, options: HubOptions): Required<Source> {
  const dataset = new HubDataset(spec, options);
  let listed: HubFile[] | undefined;
  const list = async () => {
    listed ??= await dataset.files();
    return listed;
  };
  return {
    name: spec,
    async *documents() {
      for (const file of await list()) yield* documentsOf(await dataset.open(file), field);
    },
    fingerprint: async () => JSON.stringify([field, await list()]),
  };
}

async function* nonEmpty({ name, documents }: Source, signal: AbortSignal | undefined): AsyncGenerator<string> {
  let count = 0;
  for await (const document of documents()) {
    signal?.throwIfAborted();
    if (document === "") continue;
    count++;
    yield document;
  }
  if (count === 0) throw new InputError(`source: "${name}": no document with any text in it`);
}
