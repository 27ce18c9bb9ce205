// What an engine and the process that does its work say to each other: plain data, and errors as data.

import type { EngineStats } from "../engine/stats.ts";
import { InputError, type InputErrorDetails } from "../error.ts";
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

/** An error that crosses processes; a user's mistake with what it says to programs. */
export interface ErrorData extends Omit<InputErrorDetails, "cause"> {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** An error as data. */
export function errorData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  if (!(error instanceof InputError)) return { name, message, stack };
  const { option, problem, mentions, code } = error;
  return { name, message, stack, option, problem, mentions, code };
}

/** The error that data stands for; a user's mistake stays one. */
export function errorOf({ name, message, stack, ...details }: ErrorData): Error {
  if (name === "InputError") return new InputError(message, details);
  return Object.assign(new Error(message), { name, stack });
}
