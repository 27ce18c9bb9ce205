// `crosslayer devices`: what this machine can compute on, and what it would need for more.

import { availableParallelism } from "node:os";
import { Command } from "commander";
import { bytesText } from "../charts/quantity.ts";
import { freeHostBytes } from "../runtime/host-memory.ts";
import { openDevice } from "../runtime/open-device.ts";
import { allPlugins, type Plugin } from "../runtime/pjrt/plugins.ts";
import { survey } from "../runtime/pjrt/survey.ts";

interface Row {
  readonly device: string;
  readonly kind?: string;
  readonly runtime?: string;
  /** In bytes. */
  readonly memory?: number | undefined;
  /** Why it cannot be used, and what helps. */
  readonly missing?: string;
}

/** The subcommand. */
export function devicesCommand(): Command {
  return new Command("devices")
    .description("list what this machine trains and evaluates on, and how to get what is missing")
    .option("--json", "print one JSON object")
    .action(runDevices);
}

async function runDevices({ json }: { json?: boolean }): Promise<void> {
  const rows = [await cpu()];
  for (const plugin of allPlugins()) {
    if ("advice" in plugin) rows.push({ device: plugin.name, missing: `no plugin; ${plugin.advice}` });
    else rows.push(...(await cards(plugin)));
  }
  if (json) {
    console.log(JSON.stringify({ devices: rows }));
    return;
  }
  for (const { device, kind, runtime, memory, missing } of rows) {
    const about =
      missing ?? [kind, memory === undefined ? "" : bytesText(memory), runtime].filter((part) => part).join(", ");
    console.log(`${device.padEnd(8)}  ${about}`);
  }
}

async function cpu(): Promise<Row> {
  try {
    await using device = await openDevice("cpu");
    const { kind, runtime } = device;
    return { device: "cpu", kind: `${kind}, ${availableParallelism()} threads`, runtime, memory: freeHostBytes() };
  } catch (error) {
    return {
      device: "cpu",
      missing: `onnxruntime-node does not load (${(error as Error).message}); npm install onnxruntime-node`,
    };
  }
}

async function cards(plugin: Plugin): Promise<Row[]> {
  try {
    const { runtime, cards } = await survey(plugin);
    return cards.map(({ kind, memory }, i) => ({ device: `${plugin.name}:${i}`, kind, runtime, memory }));
  } catch (error) {
    return [{ device: plugin.name, missing: `${plugin.path} does not start: ${(error as Error).message}` }];
  }
}
