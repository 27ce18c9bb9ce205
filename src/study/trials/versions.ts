// The versions that numbers depend on: this package's, the runtime's, Node's, and what they ran on.

import { readFileSync } from "node:fs";
import { arch, cpus, platform } from "node:os";

/** This package's version. */
export function ownVersion(): string {
  const own = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return own.version;
}

/** Versions by name, for results and reports; `runtime` is a device's runtime with its version. */
export function versions(runtime: string): Record<string, string> {
  const [name, version] = runtime.split(" ", 2) as [string, string];
  return {
    crosslayer: ownVersion(),
    [name]: version,
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
  };
}
