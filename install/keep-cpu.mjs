// Runs before the install scripts of dependencies. On Linux x64 that of onnxruntime-node downloads CUDA libraries (hundreds
// of megabytes, from outside npm's registry), which crosslayer never loads, and without which the CPU's part, which the
// package carries, works. It downloads what is not there, so empty files are put in their places. Who wants them for
// another use says so to npm: npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12.

import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";

try {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve("onnxruntime-node/package.json"));
  const { requirements, manifests } = require(join(root, "script/install-metadata.js"));
  const here = `${platform()}/${arch()}`;
  for (const name of requirements[here] ?? []) {
    for (const file of Object.keys(manifests[`${here}:${name}`] ?? {})) {
      const path = join(root, "bin/napi-v6", here, file);
      if (!existsSync(path)) writeFileSync(path, "");
    }
  }
} catch {
  // Not there, or of another layout: its own script decides.
}
