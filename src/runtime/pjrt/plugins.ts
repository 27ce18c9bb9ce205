// Where PJRT plugins are found: where pip puts them, or where `CROSSLAYER_PJRT_PLUGIN` says.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../error.ts";
import type { ClientOptions } from "./client-options.ts";

/** A plugin that is there. */
export interface Plugin {
  /** The device's name: "cuda", "tpu", "xla". */
  readonly name: string;
  readonly path: string;
}

/** A plugin that is not there, and how it would come. */
export interface MissingPlugin {
  readonly name: string;
  readonly advice: string;
}

/** The environment variable that names any plugin's file. */
export const pluginVariable = "CROSSLAYER_PJRT_PLUGIN";

interface Kind {
  readonly files: readonly string[];
  readonly advice: string;
}

/** What pip installs, from its site-packages. */
const kinds: Readonly<Record<string, Kind>> = {
  cuda: {
    files: ["jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"],
    advice: 'pip install "jax-cuda13-pjrt[with-cuda]" (or jax-cuda12-pjrt), in the Python that python3 starts',
  },
  tpu: { files: ["libtpu/libtpu.so"], advice: "pip install libtpu, in the Python that python3 starts" },
};

/** The plugin of a device, or how to get it. */
export function findPlugin(name: string): Plugin | MissingPlugin {
  const named = process.env[pluginVariable];
  if (name === "xla") {
    if (named) return { name, path: named };
    return { name, advice: `set ${pluginVariable} to the file of a PJRT plugin` };
  }
  const kind = kinds[name] as Kind;
  if (named?.includes(`xla_${name}`)) return { name, path: named };
  for (const folder of sitePackages()) {
    for (const file of kind.files) {
      const path = join(folder, file);
      if (existsSync(path)) return { name, path };
    }
  }
  return { name, advice: `${kind.advice}; or set ${pluginVariable} to its file` };
}

/** Every device's plugin, found or not. */
export function allPlugins(): (Plugin | MissingPlugin)[] {
  return [...Object.keys(kinds), "xla"].map(findPlugin);
}

let folders: string[] | undefined;

/** The folders that python3 imports from; none where there is no Python. */
function sitePackages(): string[] {
  if (folders) return folders;
  const asked = spawnSync("python3", ["-c", 'import sys; print("\\n".join(sys.path))'], { encoding: "utf8" });
  folders = (asked.stdout ?? "").split("\n").filter((folder) => folder !== "");
  return folders;
}

/**
 * Sets what XLA reads from the environment when a CUDA plugin is loaded: where ptxas and libdevice lie, and that Triton's
 * matrix products are left out, which doubles compilation for nothing. What is set already stays.
 */
export function prepareEnvironment({ name, path }: Plugin): void {
  if (name !== "cuda") return;
  const nvidia = join(path, "../../../nvidia");
  const data = ["cu13", "cuda_nvcc"].map((folder) => join(nvidia, folder)).find((folder) => existsSync(folder));
  const wanted = {
    xla_gpu_enable_triton_gemm: "false",
    ...(data === undefined ? {} : { xla_gpu_cuda_data_dir: data }),
  };
  const flags = process.env.XLA_FLAGS ?? "";
  const added = Object.entries(wanted)
    .filter(([flag]) => !flags.includes(flag))
    .map(([flag, value]) => `--${flag}=${value}`);
  process.env.XLA_FLAGS = [flags, ...added].filter((part) => part !== "").join(" ");
}

/**
 * How much of a CUDA card's memory XLA takes when it opens it: three quarters, or what JAX's variables say, so that several
 * processes can share a card. @throws InputError where the part is no number between 0 and 1.
 */
export function clientOptions({ path }: Pick<Plugin, "path">, environment = process.env): ClientOptions {
  if (!path.includes("xla_cuda")) return {};
  const { XLA_PYTHON_CLIENT_PREALLOCATE: ahead, XLA_PYTHON_CLIENT_MEM_FRACTION: part } = environment;
  const fraction = Number(part);
  if (part !== undefined && !(fraction > 0 && fraction < 1)) {
    throw new InputError(`XLA_PYTHON_CLIENT_MEM_FRACTION: must be between 0 and 1, found ${JSON.stringify(part)}`);
  }
  return {
    ...(ahead !== undefined && { preallocate: !["false", "0"].includes(ahead.toLowerCase()) }),
    ...(part !== undefined && { memory_fraction: fraction }),
  };
}
