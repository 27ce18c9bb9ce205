// Files that the server gives out: the built page and the viewer of the API's description, read once when it starts. What
// is asked for is looked up in that list, so no path of a request ever reaches the disk.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** A file by its URL's path. */
export interface StaticFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly type: string;
  /** Its name changes with its content. */
  readonly hashed: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const apiPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>crosslayer: API</title>
<link rel="icon" href="/icon.svg"><script type="module" src="/docs/rapidoc.js"></script></head>
<body><rapi-doc spec-url="/openapi.json" render-style="view" show-header="false" load-fonts="false"
allow-server-selection="false"></rapi-doc></body>
</html>
`;

/** The page's files as the build made them; none where it was not built. */
export function staticFiles(): ReadonlyMap<string, StaticFile> {
  const root = new URL("../../dist/web/", import.meta.url);
  const files = new Map<string, StaticFile>();
  const add = (path: string, content: string | Buffer) => {
    const body = new Uint8Array(Buffer.from(content));
    const type = types[extname(path)] ?? "application/octet-stream";
    files.set(path, { body, gzipped: new Uint8Array(gzipSync(body)), type, hashed: path.startsWith("/assets/") });
  };
  for (const name of pageFiles(fileURLToPath(root))) {
    add(name === "index.html" ? "/" : `/${name}`, readFileSync(new URL(name, root)));
  }
  const viewer = createRequire(import.meta.url).resolve("rapidoc/dist/rapidoc-min.js");
  add("/docs/rapidoc.js", readFileSync(viewer));
  const page = Buffer.from(apiPage);
  files.set("/docs", {
    body: new Uint8Array(page),
    gzipped: new Uint8Array(gzipSync(page)),
    type: types[".html"] as string,
    hashed: false,
  });
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
