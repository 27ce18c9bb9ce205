// Files of documents on disk: one file, or all in a directory and below it, by path. Does not know what is in them.

import { readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../error.ts";
import { fileError } from "../files/file-error.ts";
import { endless } from "../files/regular-file.ts";
import { documentKinds, holdsDocuments } from "./documents.ts";

/** A file as it was found. */
export interface LocalFile {
  readonly path: string;
  readonly size: number;
  readonly modified: number; // ms since 1970
}

/**
 * The files at `path`, sorted. In a directory, files of other kinds and hidden names are passed over, and a directory is
 * read once, however many links lead to it.
 * @throws InputError where there is none, or what is called like a file is a pipe, a socket or a device.
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
  const found: { name: string; file: LocalFile }[] = [];
  const seen = new Set<string>(); // directories, by their real paths
  const links: string[] = []; // followed last, so that a directory in here goes by its own path
  const visit = (name: string) => {
    const path = join(directory, name);
    const stats = statOf(path);
    if (stats?.isDirectory()) walk(name);
    else if (stats && holdsDocuments(name)) found.push({ name, file: fileOf(path, stats) });
  };
  const walk = (folder: string) => {
    const path = join(directory, folder);
    const real = realpathSync(path);
    if (seen.has(real)) return;
    seen.add(real);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const name = join(folder, entry.name);
      if (entry.isSymbolicLink()) links.push(name);
      else visit(name);
    }
  };
  try {
    walk("");
    while (links.length > 0) for (const name of links.splice(0).sort()) visit(name);
  } catch (error) {
    throw fileError("read", directory, error);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({ file }) => file);
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function fileOf(path: string, stats: Stats): LocalFile {
  if (!stats.isFile()) {
    throw new InputError(`source: "${path}": ${endless}`);
  }
  return { path, size: stats.size, modified: stats.mtimeMs };
}
