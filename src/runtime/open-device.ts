// From a device's name to the device: the only place that chooses a runtime, which is loaded when first asked for.

import { InputError } from "../error.ts";
import type { Device } from "./device.ts";

/**
 * Opens `cpu`, or `cpu:4` for as many threads of each operation; all cores if not said.
 * @throws InputError if there is no such device.
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
  throw new InputError(`device: there is no ${JSON.stringify(spec)}; use cpu, or cpu:4 for 4 threads`);
}

/** The name of the CPU with so many threads, as `openDevice` takes it. */
export const cpuName = (threads: number | undefined): string => (threads === undefined ? "cpu" : `cpu:${threads}`);
