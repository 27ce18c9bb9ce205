// Packs the built crosslayer into a folder that runs where there is Node but no npm: on a rented card, say. Without
// ONNX Runtime, so with --device only. Needs `npm run build`. Usage: node bench/portable.mjs FOLDER; then there:
// node FOLDER/crosslayer/dist/cli/main.js study plan.json --device cuda
// node FOLDER/devices.mjs --crosslayer "node FOLDER/crosslayer/dist/cli/device_step.js"

import { copyFileSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = process.argv[2];
if (!folder) throw new Error("give a folder: node bench/portable.mjs FOLDER");
const root = fileURLToPath(new URL("..", import.meta.url));
const at = (...names) => join(root, ...names);

// All code lies beside the command: files find each other, and package.json, from where they lie.
const code = join(folder, "crosslayer", "dist", "cli");
mkdirSync(code, { recursive: true });
await build({
  entryPoints: [
    ...["cli/main.js", "study/trials/trial-process.js", "train/draw-thread.js", "runtime/pjrt/survey-process.js"].map(
      (name) => at("dist", name),
    ),
    ...["device_step.mjs", "device_attention.mjs", "device_conformance.ts"].map((name) => at("bench", name)),
  ],
  ...{
    outdir: code,
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
  },
  external: ["onnxruntime-node", "koffi"],
  banner: {
    js: 'import { createRequire as createRequireHere } from "node:module"; const require = createRequireHere(import.meta.url);',
  },
  logLevel: "warning",
});
for (const into of [folder, join(folder, "crosslayer")]) copyFileSync(at("package.json"), join(into, "package.json"));
for (const name of ["koffi", "@koromix"]) {
  cpSync(at("node_modules", name), join(folder, "crosslayer", "node_modules", name), {
    recursive: true,
    filter: (path) => !/koffi\/(doc|vendor)$|\.(cc|hh|h|S|asm|txt|md)$/.test(path),
  });
}
for (const name of ["devices.mjs", "devices.json", "device_bits.mjs"]) {
  copyFileSync(at("bench", name), join(folder, name));
}
for (const name of ["common", "jax", "torch"]) {
  copyFileSync(at("bench", `device_step_${name}.py`), join(folder, `device_step_${name}.py`));
}
