// The built page's files, which the server gives out, read once when it starts. What is asked for is looked up in that
// list, so no path of a request ever reaches the disk.

import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** A file that is given out. */
export class StaticFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Its name changes with its content. */
  readonly hashed: boolean;
  #gzipped: Uint8Array<ArrayBuffer> | undefined;

  constructor(content: Buffer, type: string, hashed: boolean) {
    this.body = new Uint8Array(content);
    this.type = type;
    this.hashed = hashed;
  }

  /** The body, compressed when it is first asked for. */
  get gzipped(): Uint8Array<ArrayBuffer> {
    this.#gzipped ??= new Uint8Array(gzipSync(this.body));
    return this.#gzipped;
  }
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The page's files by their URLs' paths, as the build made them; none where it was not built. */
export function staticFiles(): ReadonlyMap<string, StaticFile> {
  const root = new URL("../../dist/web/", import.meta.url);
  const files = new Map<string, StaticFile>();
  const add = (path: string, name: string, content: Buffer) => {
    const type = types[extname(name)] ?? "application/octet-stream";
    files.set(path, new StaticFile(content, type, path.startsWith("/assets/")));
  };
  for (const name of pageFiles(fileURLToPath(root))) {
    add(name === "index.html" ? "/" : `/${name}`, name, readFileSync(new URL(name, root)));
  }
  return files;
}

function pageFiles(root: string): string[] {
  try {
    const entries = readdirSync(root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length).replaceAll("\\", "/").replace(/^\//, ""));
  } catch {
    return [];
  }
}
