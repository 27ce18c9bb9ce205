// The file of what was written after prompts, as JSON lines. A prompt that has a row is not asked again. A file beside it
// says what the rows were made with, so that no other weights or options continue it. One process at a time writes.

import { once } from "node:events";
import { closeSync, constants, createWriteStream, existsSync, openSync, statSync } from "node:fs";
import { finished } from "node:stream/promises";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { firstDifference, shown } from "../checkpoint/difference.ts";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { encodeJson, readJson } from "../files/json-file.ts";
import { jsonLines, mendJsonLines, readJsonLines } from "../files/json-lines.ts";
import { lockFile } from "../files/lock.ts";
import type { FilePrompt } from "./prompts.ts";

/** How every row begins. */
const beginning = '{"index":';

/** A row of an earlier run, as far as it matters here. */
const written = z.looseObject({
  index: z.int().min(0),
  prompt: z.string(),
  options: z.looseObject({}).default({}),
  error: z.string().optional(),
});

/** A prompt that is done, with the options of its line, where the file keeps them. */
type Done = Pick<FilePrompt, "prompt"> & Partial<Pick<FilePrompt, "options">>;

/** Where it is said what the rows of a file were made with. */
const aboutPath = (path: string) => `${path}.about.json`;

/** Where rows go: a file that is added to, or standard output. */
export class OutputRows implements AsyncDisposable {
  /** Prompts that are done, by their line; refused ones are not, and are tried again. */
  readonly done: ReadonlyMap<number, Done>;
  readonly #stream: NodeJS.WritableStream;
  readonly #path: string | undefined;
  readonly #lock: Disposable | undefined;
  #error: Error | undefined;

  private constructor(
    done: ReadonlyMap<number, Done>,
    stream: NodeJS.WritableStream,
    path?: string,
    lock?: Disposable,
  ) {
    this.done = done;
    this.#stream = stream;
    this.#path = path;
    this.#lock = lock;
    if (path === undefined) return;
    stream.on("error", (error) => {
      this.#error = error;
    });
  }

  /**
   * Opens `path`, cutting off a line that a kill left unfinished.
   * @param about what rows are made with, as JSON; rows that were made with something else are refused.
   * @throws InputError if it holds something else, or another process writes to it.
   */
  static async open(path: string | undefined, about?: object): Promise<OutputRows> {
    if (path === undefined) return new OutputRows(new Map(), process.stdout);
    let lock: Disposable | undefined;
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      const isFile = found === undefined || found.isFile(); // nothing else is read: a device may have no end
      if (isFile) lock = lockFile(path);
      const done = isFile ? await doneRows(path) : new Map<number, Done>();
      if (isFile && about) await checkAbout(path, about, done.size > 0);
      const probe = found?.isFIFO() ? openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) : undefined; // nobody reads: refused
      const file = createWriteStream(path, { flags: "a" });
      await once(file, "open");
      if (probe !== undefined) closeSync(probe);
      return new OutputRows(done, file, path, lock);
    } catch (error) {
      lock?.[Symbol.dispose]();
      if (error instanceof InputError) throw error;
      throw new InputError(`--out: ${path} cannot be written: ${(error as Error).message}`);
    }
  }

  /** Whether a prompt is done. @throws InputError if another prompt is, on its line, or the same with other options. */
  has({ index, prompt, options }: FilePrompt): boolean {
    const before = this.done.get(index);
    if (before === undefined) return false;
    const fail = (was: unknown, is: unknown) =>
      new InputError(
        `--out: ${this.#path} has texts of another file: line ${index + 1} was ${shown(was)}, is ${shown(is)}`,
      );
    if (before.prompt !== prompt) throw fail(before.prompt, prompt);
    if (before.options && !isDeepStrictEqual(before.options, options))
      throw fail({ prompt, ...before.options }, { prompt, ...options });
    return true;
  }

  /** Adds a row. @throws InputError if it cannot be written. */
  async write(row: { readonly index: number; readonly [key: string]: unknown }): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.write(jsonLines([row]), () => resolve()));
    this.#check();
  }

  /** Ends the file. @throws InputError if not all was written. */
  async close(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#path === undefined) return;
    this.#stream.end();
    await finished(this.#stream).catch(() => {}); // told by `close`
    this.#lock?.[Symbol.dispose]();
  }

  #check(): void {
    if (this.#error) throw new InputError(`--out: ${this.#path} cannot be written: ${this.#error.message}`);
  }
}

/** The rows of an earlier run. @throws InputError where the file holds something else. */
async function doneRows(path: string): Promise<Map<number, Done>> {
  const done = new Map<number, Done>();
  if (!existsSync(path)) return done;
  const { lines, torn } = await readJsonLines(path);
  const areOptionsKept = existsSync(aboutPath(path)); // not of rows from before
  for (const { number, value } of lines) {
    const { index, prompt, options, error } = writtenRow(path, number, value);
    if (error === undefined) done.set(index, areOptionsKept ? { prompt, options } : { prompt });
  }
  if (torn && !torn.text.startsWith(beginning) && !beginning.startsWith(torn.text)) throw noRow(path, torn.number);
  await mendJsonLines(path);
  return done;
}

/** Holds what is asked to what the rows were made with; where there are none, keeps it. @throws InputError by name. */
async function checkAbout(path: string, about: object, hasRows: boolean): Promise<void> {
  const place = aboutPath(path);
  if (hasRows && !existsSync(place)) {
    console.error(`warning: --out: nothing says what made the rows of ${path} (no ${place}); they count as done`);
    return;
  }
  if (hasRows) {
    const found = firstDifference(await readJson(place), JSON.parse(JSON.stringify(about)));
    if (!found) return;
    throw new InputError(
      `--out: ${path} has texts made with ${found.path} ${shown(found.was)}, asked is ${shown(found.is)}; choose another file`,
    );
  }
  await writeAtomic(place, [encodeJson(about)]);
}

function writtenRow(path: string, number: number, value: unknown): z.output<typeof written> {
  const row = written.safeParse(value);
  if (!row.success) throw noRow(path, number);
  return row.data;
}

function noRow(path: string, number: number): InputError {
  return new InputError(`--out: ${path}, line ${number} is no row of an earlier run; choose another file`);
}
