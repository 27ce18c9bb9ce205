// A run's measurements: one JSON object a line, appended as they come, each with a checksum. A
// resumed run cuts the log back to its checkpoint. Knows of a row no more than its `step`.

import { checkedRow, withCheck } from "../files/checked-line.ts";
import { appendJsonLine, filterJsonLines, readJsonLines } from "../files/json-lines.ts";

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
    await appendJsonLine(this.path, withCheck(row));
  }

  /** Every row in order, without a torn last one. @throws InputError that names a line that is not as it was written. */
  async rows(): Promise<MetricsRow[]> {
    const { lines } = await readJsonLines(this.path);
    return lines.map((line) => checkedRow(this.path, line));
  }

  /** Drops rows whose `step` is above `step`, and a torn last line. Atomic. */
  async truncate(step: number): Promise<void> {
    await filterJsonLines(this.path, (line) => {
      const row = checkedRow(this.path, line);
      return !(typeof row.step === "number" && row.step > step);
    });
  }
}
