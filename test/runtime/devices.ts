// The devices that this machine has: the CPU, plain JavaScript, and XLA's by the plugin that CROSSLAYER_PJRT_PLUGIN names.

import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open-device.ts";
import { findPlugin } from "../../src/runtime/pjrt/plugins.ts";

/** Whether there is a plugin; where there is none, its tests are left out, and this says so. */
export const hasPlugin = "path" in findPlugin("xla");
if (!hasPlugin) console.warn("no PJRT plugin: XLA is not tested (set CROSSLAYER_PJRT_PLUGIN)");

/** One of each kind. */
export async function devices(): Promise<Device[]> {
  const names = ["cpu:2", "host", ...(hasPlugin ? ["xla"] : [])];
  return Promise.all(names.map(openDevice));
}
