// A task's items from files: its own in a directory of tasks, a file or directory that is named, or the hub's dataset.
// Rows are JSON lines or parquet; BLiMP is a directory or a tar of files, each a subset. Knows no model.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { InputError } from "../../error.ts";
import { bytesInMemory } from "../../files/byte-source.ts";
import { packings, tarMembers, unpacked } from "../../files/packed-file.ts";
import { HubDataset } from "../../text/hub-dataset.ts";
import { parquetRows } from "../../text/parquet.ts";
import type { Item, Row, Task } from "./task.ts";
import { MissingField, taskOf } from "./task-table.ts";

/** Items that belong together. */
export interface Subset {
  /** Its file's name, without folder and ending; undefined where a task has no subsets. */
  readonly name: string | undefined;
  readonly items: readonly Item[];
}

/** A task with its items. */
export interface TaskItems {
  readonly task: Task;
  readonly subsets: readonly Subset[];
  /** A hash of the items, which tells sets of one name apart. */
  readonly digest: string;
}

/** A file's contents. */
interface Content {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** How files of rows end, beside how plain text does where a task takes such. */
const rowKinds = [".jsonl", ".parquet"];
const textKinds = [".raw", ".tokens", ".txt", ""];

/** What is asked for: a task's name, or `name=where` with a file, a directory or `hf:owner/dataset[@revision][:prefix]`. */
export function askedTasks(list: string, directory: string | undefined): { task: Task; where: string }[] {
  const asked = list.split(",").map((entry) => {
    const [name, ...where] = entry.trim().split("=");
    const task = taskOf(name as string);
    return {
      task,
      where: where.length > 0 ? where.join("=") : directory === undefined ? task.hub : found(task, directory),
    };
  });
  const twice = asked.find(({ task }, i) => asked.findIndex((other) => other.task === task) !== i);
  if (twice) throw new InputError(`tasks: ${twice.task.name} is asked for twice`);
  return asked;
}

/** A task's own file or directory among those of a directory. @throws InputError where it has none. */
function found(task: Task, directory: string): string {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new InputError(`tasks-dir: ${directory} is no directory; give the one that has the tasks' files`);
  }
  const kinds = [...rowKinds, ...(task.rows ? textKinds.filter(Boolean) : []), ...(task.subsets ? ["", ".tar"] : [])];
  const names = task.files.flatMap((file) =>
    packings.flatMap((packing) => kinds.map((kind) => `${file}${kind}${packing}`)),
  );
  const name = names.find((one) => existsSync(join(directory, one)));
  if (name) return join(directory, name);
  const likely = [...new Set(task.files.map((file) => `${file}${kinds.at(-1) === ".tar" ? ".tar" : ".jsonl"}`))];
  throw new InputError(
    `tasks: ${task.name}: ${directory} has no ${likely.join(" or ")} (${packings.filter(Boolean).join(" and ")} too); name its file: ${task.name}=<file>`,
  );
}

/**
 * The items of a task, the first `limit` of each subset.
 * @throws InputError where a file is missing, or naming the row and the field that is not as it should be.
 */
export async function readTask(
  task: Task,
  where: string,
  { limit }: { limit?: number | undefined } = {},
): Promise<TaskItems> {
  const contents = where.startsWith("hf:") ? await hubContents(where) : localContents(where);
  const subsets: { name: string | undefined; items: Item[] }[] = [];
  for (const content of contents) {
    const name = task.subsets ? subsetName(content.name) : undefined;
    const items = itemsOf(task, await rowsOf(task, content), content.name);
    const same = subsets.find((subset) => subset.name === name);
    if (same) same.items.push(...items);
    else subsets.push({ name, items });
  }
  const kept = subsets.map(({ name, items }) => ({ name, items: items.slice(0, limit) }));
  const empty = kept.find(({ items }) => items.length === 0);
  if (kept.length === 0 || empty) throw new InputError(`tasks: ${task.name}: ${where} has no rows`);
  kept.sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
  const digest = createHash("sha256").update(JSON.stringify(kept)).digest("hex").slice(0, 16);
  return { task, subsets: kept, digest };
}

/** A file's name without folder and endings; of the hub's parquet files, the folder's that is the subset. */
export function subsetName(path: string): string {
  const parts = path.slice(path.lastIndexOf(":") + 1).split("/"); // a file of the hub stands after its source
  const name = (parts.at(-1) as string).replace(/\.(jsonl|parquet)(\.gz|\.xz)?$/, "");
  return /^\d+$/.test(name) && parts.length >= 3 ? (parts.at(-3) as string) : name;
}

function localContents(path: string): Content[] {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new InputError(`tasks: ${path}: no such file or directory`);
  if (stats.isDirectory()) {
    const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => {
      return packings.some((packing) => rowKinds.some((kind) => name.endsWith(`${kind}${packing}`)));
    });
    return names.sort().map((name) => ({ name: join(path, name), bytes: unpacked(join(path, name)) }));
  }
  const bytes = unpacked(path);
  if (!/\.tar(\.gz|\.xz)?$/.test(basename(path))) return [{ name: path, bytes }];
  return tarMembers(bytes, path).filter(({ name }) => rowKinds.some((kind) => name.endsWith(kind)));
}

async function hubContents(spec: string): Promise<Content[]> {
  const dataset = new HubDataset(spec);
  const contents: Content[] = [];
  for (const file of await dataset.files()) {
    const stored = await dataset.open(file);
    contents.push({ name: stored.name, bytes: new Uint8Array(await stored.read(0, stored.size)) });
  }
  return contents;
}

async function rowsOf(task: Task, { name, bytes }: Content): Promise<Row[]> {
  const bare = name.replace(/\.(gz|xz)$/, "");
  if (bare.endsWith(".parquet")) return parquetRows(bytesInMemory(name, bytes));
  const content = decoded(name, bytes);
  if (!bare.endsWith(".jsonl")) {
    if (task.rows) return task.rows(content);
    throw new InputError(`tasks: ${task.name}: ${name}: its rows are read of files that end in ${rowKinds.join(", ")}`);
  }
  return content.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line) as Row];
    } catch (cause) {
      throw new InputError(`${name}:${i + 1}: not JSON: ${(cause as Error).message}`, { cause });
    }
  });
}

function decoded(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputError(`${name}: not UTF-8 text`, { cause });
  }
}

function itemsOf(task: Task, rows: readonly Row[], file: string): Item[] {
  return rows.map((row, i) => {
    try {
      return task.item(typeof row === "object" && row !== null ? row : {});
    } catch (error) {
      if (!(error instanceof MissingField)) throw error;
      const fields = typeof row === "object" && row !== null ? Object.keys(row).join(", ") : typeof row;
      throw new InputError(
        `${file}: row ${i + 1} is none of ${task.name}: it needs ${error.message}; it has ${fields}`,
      );
    }
  });
}
