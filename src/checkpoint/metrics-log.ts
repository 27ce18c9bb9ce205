// A run's measurements: one JSON object a line, appended as they come, each with a checksum of its line as its last
// field, `check`. A resumed run cuts the log back to its checkpoint. Knows of a row no more than its `step`.

import { createHash } from "node:crypto";
import { InputError } from "../error.ts";
import { isObject } from "../files/json-file.ts";
import { appendJsonLine, filterJsonLines, type JsonLine, readJsonLines } from "../files/json-lines.ts";

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
    await appendJsonLine(this.path, { ...row, check: checkOf(JSON.stringify(row)) });
  }

  /** Every row in order, without a torn last one. @throws InputError that names a line that is not as it was written. */
  async rows(): Promise<MetricsRow[]> {
    const { lines } = await readJsonLines(this.path);
    return lines.map((line) => rowOf(this.path, line));
  }

  /** Drops rows whose `step` is above `step`, and a torn last line. Atomic. */
  async truncate(step: number): Promise<void> {
    await filterJsonLines(this.path, (line) => {
      const row = rowOf(this.path, line);
      return !(typeof row.step === "number" && row.step > step);
    });
  }
}

/** How a line ends that has a checksum, whatever a flipped bit has made of the field's name. */
const checked = /(?:,|(?<=^\{))"([^"]*)":"([0-9a-f]{8})"\}$/;

function checkOf(row: string): string {
  return createHash("sha256").update(row).digest("hex").slice(0, 8);
}

/** The row of a line. Rows from before have no checksum. */
function rowOf(path: string, { number, text, value }: JsonLine): MetricsRow {
  if (!isObject(value)) {
    throw new InputError(`${path}: line ${number} is not a JSON object; remove the line or restore the file`);
  }
  const [ending, name, digits] = checked.exec(text) ?? [];
  if (ending === undefined && !("check" in value)) return value;
  const row = text.slice(0, text.length - (ending ?? "").length);
  if (name !== "check" || checkOf(`${row}}`) !== digits) {
    throw new InputError(`${path}: line ${number} is not as it was written (its checksum differs); restore the file`);
  }
  const { check: _, ...rest } = value;
  return rest;
}
