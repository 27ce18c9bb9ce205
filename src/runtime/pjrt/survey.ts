// What a plugin's cards are, asked in a process of its own: a plugin that crashes ends that process alone.

import { fork } from "node:child_process";
import type { Plugin } from "./plugins.ts";

/** What a plugin says of itself. */
export interface Survey {
  /** Its platform, and the version of its API. */
  readonly runtime: string;
  /** Each with its memory in bytes, where that is known. */
  readonly cards: readonly { readonly kind: string; readonly memory: number | undefined }[];
}

/** What the process answers. */
export type SurveyMessage = { readonly survey: Survey } | { readonly error: string };

/** Opens a plugin and closes it again. @throws Error where it does not start, or crashes. */
export function survey(plugin: Plugin): Promise<Survey> {
  const child = fork(new URL("./survey-process.js", import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return new Promise<Survey>((resolve, reject) => {
    child.on("error", reject);
    child.on("message", (message: SurveyMessage) => {
      if ("survey" in message) resolve(message.survey);
      else reject(new Error(message.error));
    });
    child.on("exit", (code, signal) => reject(new Error(`its process ended with ${signal ?? `status ${code}`}`)));
    child.send(plugin);
  }).finally(() => child.kill("SIGKILL"));
}
