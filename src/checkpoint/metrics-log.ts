// A run's measurements: one JSON object a line, appended as they come. A crash can tear the last line only; a resumed
// run cuts the log back to its checkpoint. Knows of a row no more than its `step`.

import { open, readFile } from "node:fs/promises";
import { InputError } from "../error.ts";
import { writeAtomic } from "../files/atomic-file.ts";
import { errorCode, fileError } from "../files/file-error.ts";
import { isObject } from "../files/json-file.ts";

/** What was measured at a moment; `step` says when. Numbers that JSON has not (NaN, ±∞) become null. */
export type MetricsRow = Readonly<Record<string, unknown>>;

/** The log at a path; the file appears with the first row. */
export class MetricsLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Adds a row, an object that JSON can hold. A write that fails, as on a full disk, leaves the log as it was. */
  async append(row: object): Promise<void> {
    try {
      const handle = await open(this.path, "a");
      try {
        const { size } = await handle.stat();
        await handle.writeFile(`${JSON.stringify(row)}\n`).catch(async (error) => {
          await handle.truncate(size).catch(() => {}); // the first error tells more
          throw error;
        });
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fileError("write", this.path, error);
    }
  }

  /** Every row in order, without a torn last one. @throws InputError that names a line that is not a JSON object. */
  async rows(): Promise<MetricsRow[]> {
    return parseRows(this.path, await this.#text());
  }

  /** Drops rows whose `step` is above `step`, and a torn last line. Atomic. */
  async truncate(step: number): Promise<void> {
    const text = await this.#text();
    const kept = parseRows(this.path, text).filter((row) => !(typeof row.step === "number" && row.step > step));
    const result = kept.map((row) => `${JSON.stringify(row)}\n`).join("");
    if (result !== text) await writeAtomic(this.path, [new TextEncoder().encode(result)]);
  }

  async #text(): Promise<string> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if (errorCode(error) === "ENOENT") return "";
      throw fileError("read", this.path, error);
    }
  }
}

function parseRows(path: string, text: string): MetricsRow[] {
  const lines = text.split("\n");
  const rows: MetricsRow[] = [];
  for (const [i, line] of lines.entries()) {
    const row = parseRow(line);
    if (row) rows.push(row);
    else if (i < lines.length - 1) {
      throw new InputError(`${path}: line ${i + 1} is not a JSON object; remove the line or restore the file`);
    }
  }
  return rows;
}

function parseRow(line: string): MetricsRow | undefined {
  try {
    const row: unknown = JSON.parse(line);
    return isObject(row) ? row : undefined;
  } catch {
    return undefined;
  }
}
