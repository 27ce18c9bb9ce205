// The versions that numbers depend on: this package's, the runtime's, Node's, and what they ran on.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, cpus, platform } from "node:os";

const require = createRequire(import.meta.url);

/** Versions by name, for results and reports. */
export function versions(): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  const runtime = require("onnxruntime-common/package.json") as { version: string };
  return {
    crosslayer: own.version,
    "onnxruntime-node": runtime.version,
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
  };
}
