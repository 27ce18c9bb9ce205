// A file of prompts and the file of what was written after them, both JSONL. What is written already is not done again.

import { once } from "node:events";
import { createWriteStream, existsSync, readFileSync, truncateSync, type WriteStream } from "node:fs";
import { z } from "zod";
import type { GenerateOptions } from "../engine/request.ts";
import { InputError } from "../error.ts";

const row = z.strictObject({
  prompt: z.string(),
  maxTokens: z.int().min(1).optional(),
  temperature: z.number().optional(),
  topP: z.number().optional(),
  topK: z.int().optional(),
  minP: z.number().optional(),
  repetitionPenalty: z.number().optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string())]).optional(),
  n: z.int().min(1).max(128).optional(),
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
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(`--file: ${path} cannot be read: ${(error as Error).message}`);
  }
  const lines = text.split("\n").map((line, index) => ({ line, index }));
  const prompts = lines.filter(({ line }) => line.trim() !== "").map(({ line, index }) => promptOf(path, line, index));
  if (prompts.length === 0) throw new InputError(`--file: ${path} has no prompts; expected lines of {"prompt": "…"}`);
  return prompts;
}

function promptOf(path: string, line: string, index: number): FilePrompt {
  const fail = (problem: string) => new InputError(`--file: ${path}, line ${index + 1}: ${problem}`);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw fail(`is no JSON: ${(error as Error).message}`);
  }
  const parsed = row.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fail(`${issue?.path.join(".") || "row"}: ${issue?.message}`);
  }
  const { prompt, ...options } = parsed.data;
  return { index, prompt, options };
}

/** Where rows go: a file that is added to, or standard output. */
export class OutputRows {
  /** Lines of the prompts that are done already. */
  readonly done: ReadonlySet<number>;
  readonly #stream: NodeJS.WritableStream;
  readonly #file: WriteStream | undefined;

  private constructor(done: ReadonlySet<number>, file: WriteStream | undefined) {
    this.done = done;
    this.#file = file;
    this.#stream = file ?? process.stdout;
  }

  /** Opens `path`, cutting off a line that a kill left unfinished. @throws InputError if it holds something else. */
  static async open(path: string | undefined): Promise<OutputRows> {
    if (path === undefined) return new OutputRows(new Set(), undefined);
    const done = new Set<number>();
    if (existsSync(path)) {
      const text = readFileSync(path, "utf8");
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      for (const [i, line] of whole.split("\n").slice(0, -1).entries()) done.add(indexOf(path, line, i));
      if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
    }
    const file = createWriteStream(path, { flags: "a" });
    try {
      await once(file, "open");
    } catch (error) {
      throw new InputError(`--out: ${path} cannot be written: ${(error as Error).message}`);
    }
    return new OutputRows(done, file);
  }

  /** Adds a row. */
  async write(row: { readonly index: number; readonly [key: string]: unknown }): Promise<void> {
    if (!this.#stream.write(`${JSON.stringify(row)}\n`)) await once(this.#stream, "drain");
  }

  /** Ends the file. */
  async close(): Promise<void> {
    if (!this.#file) return;
    this.#file.end();
    await once(this.#file, "finish");
  }
}

function indexOf(path: string, line: string, i: number): number {
  try {
    const { index } = JSON.parse(line) as { index: unknown };
    if (Number.isInteger(index)) return index as number;
  } catch {
    // told below
  }
  throw new InputError(`--out: ${path}, line ${i + 1} is no row of an earlier run; choose another file`);
}
