// What an engine and the process that does its work say to each other: plain data, and errors as data.

import type { EngineStats } from "../engine/stats.ts";
import type { ErrorData } from "../error.ts";
import type { EngineInfo, EngineOptions } from "./engine-options.ts";
import type { Chunk, GenerateOptions, Prompt } from "./request.ts";

/** Which run to open, and how. */
export interface EngineStart {
  readonly run: string;
  readonly options: EngineOptions;
}

/** To the process. It is told to start first, and once. */
export type ToProcess =
  | { readonly type: "start"; readonly start: EngineStart }
  | {
      readonly type: "open";
      readonly request: number;
      readonly prompt: Prompt;
      readonly options: GenerateOptions;
      /** `options.format`, if it is an object, as JSON. */
      readonly format?: string;
    }
  | { readonly type: "close"; readonly request: number }
  | { readonly type: "resize"; readonly resize: number; readonly kvMemory: number };

/** From the process. `stats` come with a step now and then, and whenever there is nothing left to do. */
export type FromProcess =
  | { readonly type: "ready"; readonly info: EngineInfo; readonly stats: EngineStats }
  | { readonly type: "broken"; readonly error: ErrorData }
  | { readonly type: "failed"; readonly request: number; readonly error: ErrorData }
  | { readonly type: "chunks"; readonly chunks: readonly { readonly request: number; readonly chunk: Chunk }[] }
  | { readonly type: "stats"; readonly stats: EngineStats }
  | { readonly type: "resized"; readonly resize: number; readonly stats?: EngineStats; readonly error?: ErrorData };
