// A process's mark in a file name: who left this file, and whether it still runs. A process id alone is not enough, as
// ids are used again (in containers at once), so a mark also has the start time where the system tells it, and the host.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";

const host = hostname().replace(/[^A-Za-z0-9]/g, "_").slice(0, 64) || "_";

/** This process's mark, `<pid>-<start>-<host>`; safe in file names. */
export const ownMark = `${process.pid}-${startOf(process.pid) ?? 0}-${host}`;

/** The parts of a mark, or undefined if `text` is none. */
export function parseMark(text: string): { pid: number; start: number; host: string } | undefined {
  const [, pid, start, where] = /^(\d{1,10})-(\d{1,16})-(\w{1,64})$/.exec(text) ?? [];
  return where === undefined ? undefined : { pid: Number(pid), start: Number(start), host: where };
}

/** Whether the process that left `mark` may still run. One on another host may: it cannot be asked. */
export function mayRun(mark: string): boolean {
  const parsed = parseMark(mark);
  if (!parsed || parsed.host !== host) return true;
  const { pid, start } = parsed;
  const started = startOf(pid);
  if (started !== undefined && start !== 0) return started === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is there, but someone else's
  }
}

/** When a process started, in clock ticks since the boot (proc(5), stat, field 22); undefined where there is no /proc. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const start = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    return Number.isSafeInteger(start) ? start : undefined;
  } catch {
    return undefined;
  }
}
