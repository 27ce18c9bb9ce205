// The versions that numbers depend on: this package's, the runtime's, Node's, and what they ran on.

import { readFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";
import { runtimeVersion } from "../../runtime/onnxruntime-node.ts";

/** This package's version. */
export function ownVersion(): string {
  const own = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return own.version;
}

/** Versions by name, for results and reports. */
export function versions(): Record<string, string> {
  return {
    crosslayer: ownVersion(),
    "onnxruntime-node": runtimeVersion,
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
  };
}
