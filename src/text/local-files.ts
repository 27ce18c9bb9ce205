// Files of documents on disk: one file, or all in a directory and below it, by path. Knows not what is in them.

import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { documentKinds, holdsDocuments } from "./documents.ts";

/** A file as it was found. */
export interface LocalFile {
  readonly path: string;
  readonly size: number;
  readonly modified: number; // ms since 1970
}

/**
 * The files at `path`, sorted. Files of other kinds in a directory are passed over.
 * @throws InputError where there is none.
 */
export function localFiles(path: string): LocalFile[] {
  const found = statOf(path);
  if (!found) throw new InputError(`source: "${path}": no such file or directory`);
  if (found.isDirectory()) {
    const files = below(path);
    if (files.length > 0) return files;
    throw new InputError(`source: "${path}": no file in it ends in ${documentKinds.join(", ")}`);
  }
  if (!holdsDocuments(path)) {
    throw new InputError(`source: "${path}": a file of documents ends in ${documentKinds.join(", ")}`);
  }
  return [fileOf(path, found)];
}

function below(directory: string): LocalFile[] {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter(holdsDocuments).sort();
  return paths.flatMap((name) => {
    const path = join(directory, name);
    const found = statOf(path);
    return found?.isFile() ? [fileOf(path, found)] : [];
  });
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function fileOf(path: string, { size, mtimeMs }: Stats): LocalFile {
  return { path, size, modified: mtimeMs };
}
