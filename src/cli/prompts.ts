// A file of prompts and the file of what was written after them, both JSONL. A prompt whose row is there is not asked again.

import { once } from "node:events";
import { createWriteStream, readFileSync, statSync } from "node:fs";
import { finished } from "node:stream/promises";
import { z } from "zod";
import { InputError } from "../error.ts";
import { mendJsonLines, readJsonLines } from "../files/json-lines.ts";
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

/** How every row begins. */
const beginning = '{"index":';

/** A row of an earlier run, as far as it matters here. */
const written = z.looseObject({ index: z.int().min(0), prompt: z.string(), error: z.string().optional() });

/** Where rows go: a file that is added to, or standard output. */
export class OutputRows {
  /** Prompts that are done, by their line; refused ones are not, and are tried again. */
  readonly done: ReadonlyMap<number, string>;
  readonly #stream: NodeJS.WritableStream;
  readonly #path: string | undefined;
  #error: Error | undefined;

  private constructor(done: ReadonlyMap<number, string>, stream: NodeJS.WritableStream, path?: string) {
    this.done = done;
    this.#stream = stream;
    this.#path = path;
    if (path === undefined) return;
    stream.on("error", (error) => {
      this.#error = error;
    });
  }

  /** Opens `path`, cutting off a line that a kill left unfinished. @throws InputError if it holds something else. */
  static async open(path: string | undefined): Promise<OutputRows> {
    if (path === undefined) return new OutputRows(new Map(), process.stdout);
    const done = new Map<number, string>();
    try {
      // Nothing else is read: a device may have no end.
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) {
        const { lines, torn } = await readJsonLines(path);
        for (const { number, value } of lines) {
          const { index, prompt, error } = writtenRow(path, number, value);
          if (error === undefined) done.set(index, prompt);
        }
        if (torn && !torn.text.startsWith(beginning) && !beginning.startsWith(torn.text))
          throw noRow(path, torn.number);
        await mendJsonLines(path);
      }
      const file = createWriteStream(path, { flags: "a" });
      await once(file, "open");
      return new OutputRows(done, file, path);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`--out: ${path} cannot be written: ${(error as Error).message}`);
    }
  }

  /** Whether a prompt is done. @throws InputError if another prompt is, on its line. */
  has({ index, prompt }: FilePrompt): boolean {
    const before = this.done.get(index);
    if (before === undefined || before === prompt) return before !== undefined;
    throw new InputError(
      `--out: ${this.#path} has texts of another file: line ${index + 1} was ${JSON.stringify(before)}, is ${JSON.stringify(prompt)}`,
    );
  }

  /** Adds a row. @throws InputError if it cannot be written. */
  async write(row: { readonly index: number; readonly [key: string]: unknown }): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.write(`${JSON.stringify(row)}\n`, () => resolve()));
    this.#check();
  }

  /** Ends the file. @throws InputError if not all was written. */
  async close(): Promise<void> {
    if (this.#path === undefined) return;
    this.#stream.end();
    await finished(this.#stream).catch(() => {});
    this.#check();
  }

  #check(): void {
    if (this.#error) throw new InputError(`--out: ${this.#path} cannot be written: ${this.#error.message}`);
  }
}

function writtenRow(path: string, number: number, value: unknown): z.output<typeof written> {
  const row = written.safeParse(value);
  if (!row.success) throw noRow(path, number);
  return row.data;
}

function noRow(path: string, number: number): InputError {
  return new InputError(`--out: ${path}, line ${number} is no row of an earlier run; choose another file`);
}
