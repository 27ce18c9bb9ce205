// A process's mark in a file name: who left this file, and whether it still runs. A process id alone is not enough, as
// ids are used again (in containers at once), so a mark also has the start time where the system tells it, and the host.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";

const host =
  hostname()
    .replace(/[^A-Za-z0-9]/g, "_")
    .slice(0, 64) || "_";

/** This process's mark, `<pid>-<start>-<host>`; safe in file names. */
export const ownMark = `${process.pid}-${statOf(process.pid)?.start ?? 0}-${host}`;

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
  const stat = statOf(pid);
  if (stat && ["Z", "X"].includes(stat.state)) return false; // it ended, only nobody has asked how
  if (stat && start !== 0) return stat.start === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // it is there, but someone else's
  }
}

/** A process's state and start in clock ticks since the boot (proc(5), stat); undefined where /proc does not tell. */
function statOf(pid: number): { state: string; start: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on; the name before may have spaces
    const start = Number(fields[19]);
    return Number.isSafeInteger(start) ? { state: fields[0] as string, start } : undefined;
  } catch {
    return undefined;
  }
}
