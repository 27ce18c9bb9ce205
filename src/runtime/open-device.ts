// From a device's name to the device: the only place that chooses a runtime, which is loaded when first asked for.

import { InputError } from "../error.ts";
import type { Device } from "./device.ts";

/**
 * Opens a device: `cpu`, or `cpu:4` for as many threads of each operation, all cores if not said; `cuda` or `tpu`, or
 * `cuda:1` for the second card, `cuda:0,1` or `cuda:all` for several as one, `all` for all of
 * whatever kind there is; `host`, plain JavaScript, slow; `xla`, the device of the plugin that `CROSSLAYER_PJRT_PLUGIN` names.
 * @throws InputError if there is no such device, saying what to install.
 */
export async function openDevice(spec: string): Promise<Device> {
  const [kind, which] = spec.split(":", 2) as [string, string?];
  if (kind === "cpu") {
    const threads = which === undefined ? undefined : Number(which);
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
      throw new InputError(`device: ${spec} asks for ${which} threads; give a whole number from 1, as in cpu:4`);
    }
    const { openCpu } = await import("./ort-node.ts");
    return openCpu({ threads });
  }
  if (kind === "host") {
    const { openHost } = await import("./host.ts");
    return openHost();
  }
  if (kind === "all") return openPlugin(await anyPlugin(), "all");
  if (kind === "cuda" || kind === "tpu" || kind === "xla") return openPlugin(kind, which);
  throw new InputError(
    `device: there is no ${JSON.stringify(spec)}; use cpu, cpu:4 for 4 threads, cuda, cuda:1, tpu or xla`,
  );
}

/** Each of several devices of a kind: `cuda:0,1` is `cuda:0` and `cuda:1`; `cuda:0+1` is one of two cards. */
export function deviceNames(spec: string): string[] {
  const [kind, which] = spec.split(":", 2) as [string, string?];
  return which === undefined ? [kind] : which.split(",").map((card) => `${kind}:${card}`);
}

/** The name of the CPU with so many threads, as `openDevice` takes it. */
export const cpuName = (threads: number | undefined): string => (threads === undefined ? "cpu" : `cpu:${threads}`);

/** The kind of card that this machine has a plugin for. */
async function anyPlugin(): Promise<string> {
  const { allPlugins } = await import("./pjrt/plugins.ts");
  const found = allPlugins().find((plugin) => "path" in plugin);
  if (found) return found.name;
  throw new InputError("device: no plugin for any card was found; `crosslayer devices` says how to install one");
}

async function openPlugin(kind: string, which: string | undefined): Promise<Device> {
  const { findPlugin, prepareEnvironment } = await import("./pjrt/plugins.ts");
  const plugin = findPlugin(kind);
  if ("advice" in plugin) throw new InputError(`device: no plugin for ${kind} was found; ${plugin.advice}`);
  const cards = which === "all" ? [] : (which ?? "0").split(/[,+]/).map(Number);
  if (cards.some((card) => !(Number.isInteger(card) && card >= 0))) {
    throw new InputError(`device: ${kind}:${which} names no card; give its number, as in ${kind}:0, or ${kind}:all`);
  }
  if (new Set(cards).size < cards.length) throw new InputError(`device: ${kind}:${which} names a card twice`);
  prepareEnvironment(plugin);
  const { openXla } = await import("./xla.ts");
  return openXla(plugin, cards);
}
