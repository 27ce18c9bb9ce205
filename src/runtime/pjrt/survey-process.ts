// The process in which a plugin is asked for its cards. Started by survey.ts.

import { PjrtClient } from "./client.ts";
import { type Plugin, prepareEnvironment } from "./plugins.ts";
import type { SurveyMessage } from "./survey.ts";

process.on("message", (plugin: Plugin) => void answer(plugin).then((message) => process.send?.(message)));
process.on("disconnect", () => process.exit()); // nobody is left to tell

async function answer(plugin: Plugin): Promise<SurveyMessage> {
  prepareEnvironment(plugin);
  try {
    using client = await PjrtClient.open(plugin.path, plugin.name === "cuda" ? { preallocate: false } : {});
    const cards = client.devices.map((card) => ({ kind: card.kind, memory: client.memory(card).limit }));
    return { survey: { runtime: `xla-${client.platform}, PJRT ${client.api.version}`, cards } };
  } catch (error) {
    return { error: (error as Error).message };
  }
}
