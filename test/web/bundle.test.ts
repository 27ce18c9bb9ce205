// What the page weighs, as `npm run build` left it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";

const built = fileURLToPath(new URL("../../dist/web", import.meta.url));
const files = readdirSync(built, { recursive: true, encoding: "utf8", withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name));

it("weighs 300 kB at most, gzipped", () => {
  const sizes = files.map((file) => gzipSync(readFileSync(file)).length);
  expect(files.length).toBeGreaterThanOrEqual(3);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(300_000);
});

it("names every file but index.html and the icon by its content, and has no script inline", () => {
  const names = files
    .map((file) => file.slice(built.length + 1))
    .filter((name) => name !== "index.html" && name !== "icon.svg");
  for (const name of names) expect(name).toMatch(/^assets[/\\][\w.]+-[\w-]{8}\.(js|css)$/);
  const html = readFileSync(join(built, "index.html"), "utf8");
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
  expect(html).not.toMatch(/\b(?:src|href)="(?:https?:)?\/\//);
});

it("makes no code from text, which the server's rules forbid", () => {
  for (const file of files) expect(readFileSync(file, "utf8")).not.toMatch(/\beval\(|\bnew Function\b|\bFunction\(/);
});
