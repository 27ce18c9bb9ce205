// A file of prompts: JSON lines, each with options of its own.

import { z } from "zod";
import { InputError } from "../error.ts";
import { readWholeText } from "../files/regular-file.ts";
import { type GenerateOptions, generateSchema } from "../generate/request.ts";
import { checked } from "../options.ts";

/** A line: options are of the right kind here, and in their ranges where they are used, each row's on its own. */
const row = z.strictObject({
  prompt: z.string(),
  maxTokens: generateSchema.shape.maxTokens,
  temperature: z.number().optional(),
  topP: z.number().optional(),
  topK: z.int().optional(),
  minP: z.number().optional(),
  repetitionPenalty: z.number().optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string())]).optional(),
  n: generateSchema.shape.n.unwrap().optional(),
});

/** A prompt of a file, with the options of its line. */
export interface FilePrompt {
  /** Its line, from 0. */
  readonly index: number;
  readonly prompt: string;
  readonly options: GenerateOptions;
}

/** Reads all prompts. @throws InputError naming the line that is wrong. */
export async function openPrompts(path: string): Promise<FilePrompt[]> {
  let text: string;
  try {
    text = readWholeText(path);
  } catch (error) {
    throw new InputError(`--file: ${path} cannot be read: ${(error as Error).message}`);
  }
  const lines = text.split("\n").map((line, index) => ({ line, index }));
  const prompts = lines.filter(({ line }) => line.trim() !== "").map(({ line, index }) => promptOf(path, line, index));
  if (prompts.length === 0) throw new InputError(`--file: ${path} has no prompts; expected lines of {"prompt": "…"}`);
  return prompts;
}

function promptOf(path: string, line: string, index: number): FilePrompt {
  const where = `--file: ${path}, line ${index + 1}`;
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new InputError(`${where}: is no JSON: ${(error as Error).message}`);
  }
  const { prompt, ...options } = checked(row, json, where);
  return { index, prompt, options };
}
