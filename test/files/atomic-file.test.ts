// Atomic files: whole or absent, nothing left behind, and refusals that say what to do.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { AtomicFile, removeStale, writeAtomic } from "../../src/files/atomic-file.ts";
import { fileError } from "../../src/files/file-error.ts";
import { mayRun, ownMark, parseMark } from "../../src/files/process-mark.ts";
import { bundle, output, scratch } from "./scratch.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (caught) => caught,
  );
  expect(error).toBeInstanceOf(InputError);
  return error.message;
}

test("writes chunks in order, over what was there, and leaves nothing else", async () => {
  const directory = scratch();
  const path = join(directory, "file");
  await writeAtomic(path, [bytes("old and longer")]);
  await writeAtomic(path, [bytes("ne"), bytes(""), bytes("w")]);
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("a file written in pieces appears when it is finished, and never if it is given up", () => {
  const directory = scratch();
  const path = join(directory, "file");
  writeFileSync(path, "old");
  {
    using file = new AtomicFile(path);
    file.write(bytes("half"), 0);
  }
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(directory)).toEqual(["file"]);
  using file = new AtomicFile(path);
  file.write(bytes("-and-new"), 0);
  file.write(bytes("brand"), 0);
  expect(readFileSync(path, "utf8")).toBe("old");
  file.finish();
  expect(readFileSync(path, "utf8")).toBe("brandnew");
  expect(readdirSync(directory)).toEqual(["file"]);
  expect(() => file.write(bytes("x"), 0)).toThrow(TypeError);
});

test("a file in pieces that cannot be put in its place says so and leaves nothing", () => {
  const directory = scratch();
  mkdirSync(join(directory, "taken"));
  expect(() => new AtomicFile(join(directory, "none", "file"))).toThrow(/cannot write .*ENOENT/);
  {
    using file = new AtomicFile(join(directory, "taken"));
    file.write(bytes("x"), 0);
    expect(() => file.finish()).toThrow(InputError);
  }
  expect(readdirSync(directory)).toEqual(["taken"]);
});

test("many writes of one file at once leave one of them whole", async () => {
  const directory = scratch();
  const path = join(directory, "file");
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(10000));
  await Promise.all(texts.map((text) => writeAtomic(path, [bytes(text)])));
  expect(texts).toContain(readFileSync(path, "utf8"));
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("a source that fails midway leaves the old file and no other, and its error as it is", async () => {
  const directory = scratch();
  const path = join(directory, "file");
  await writeAtomic(path, [bytes("old")]);
  function* chunks() {
    yield bytes("half of the n");
    throw new TypeError("no more");
  }
  await expect(writeAtomic(path, chunks())).rejects.toThrow(TypeError);
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("places that cannot be written are named, with advice", async () => {
  const directory = scratch();
  writeFileSync(join(directory, "file"), "");
  mkdirSync(join(directory, "directory"));
  const write = (name: string) => refusal(writeAtomic(join(directory, name), [bytes("x")]));
  expect(await write("file/below")).toMatch(/cannot write .*file\/below: .*not a directory.*ENOTDIR/);
  expect(await write("none/below")).toMatch(/cannot write .*none\/below: .*create its directory.*ENOENT/);
  expect(await write("directory")).toMatch(/cannot write .*directory: this is a directory.*EISDIR/);
  expect(readdirSync(directory).sort()).toEqual(["directory", "file"]);
});

test.skipIf(process.platform !== "linux")("the system's full disk is an InputError", async () => {
  const error = await writeFile("/dev/full", "x").catch((caught) => caught);
  expect(fileError("write", "/dev/full", error)).toEqual(
    new InputError(
      "cannot write /dev/full: the disk is full; free some space, or choose a path on another disk (ENOSPC)",
    ),
  );
  const other = new Error("something else");
  expect(fileError("write", "x", other)).toBe(other);
});

test.skipIf(process.platform !== "linux")(
  "a disk that fills up keeps the last checkpoint and no half file",
  async (context) => {
    const directory = scratch();
    const script = await bundle("full-disk-process.ts", directory);
    mkdirSync(join(directory, "disk"));
    // A mount namespace of its own: nothing outside the command sees the small disk.
    const command = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" "$3" "$1"';
    const args = ["-rm", "sh", "-c", command, "sh", join(directory, "disk"), process.execPath, script];
    const probe = await output("unshare", [
      "-rm",
      "sh",
      "-c",
      'mount -t tmpfs none "$1"',
      "sh",
      join(directory, "disk"),
    ]);
    if (probe.code !== 0) context.skip(); // not every kernel lets users have namespaces
    const { code, text } = await output("unshare", args);
    expect(code, text).toBe(0);
    const { checkpoint, metrics, files, step, rows } = JSON.parse(text);
    expect(checkpoint).toMatch(/^InputError: cannot write .*checkpoint\.safetensors: the disk is full/);
    expect(metrics).toMatch(/^InputError: cannot write .*metrics\.jsonl: the disk is full/);
    expect(files).toEqual(["ballast", "checkpoint.safetensors", "config.json", "metrics.jsonl", "tokenizer.json"]);
    expect(Number(step)).toBe(1);
    expect(rows).toEqual([{ step: 1 }]);
  },
);

test("leftovers of dead processes go, those of living ones and other files stay", async () => {
  const directory = scratch();
  const { pid, start, host } = parseMark(ownMark)!;
  const ended = (await output(process.execPath, ["-p", "process.pid"])).text.trim();
  const stale = [`.a.${ended}-1-${host}.0.tmp`, `.b.safetensors.${ended}-0-${host}.12.tmp`];
  if (process.platform === "linux") stale.push(`.c.${pid}-${start - 1}-${host}.0.tmp`); // this id, an earlier process
  const kept = [`.d.${ownMark}.0.tmp`, `.e.${ended}-1-elsewhere.0.tmp`, ".f.tmp", `g.${ended}-1-${host}.0.tmp`, "h"];
  for (const name of [...stale, ...kept]) writeFileSync(join(directory, name), "");
  expect(removeStale(directory).sort()).toEqual(stale.sort());
  expect(readdirSync(directory).sort()).toEqual(kept.sort());
  expect(() => removeStale(join(directory, "none"))).toThrow(InputError);
});

test("marks: this process runs; init runs, whoever owns it; nobody can tell of other hosts", () => {
  const { host } = parseMark(ownMark)!;
  expect(mayRun(ownMark)).toBe(true);
  expect(mayRun(`1-0-${host}`)).toBe(true);
  expect(mayRun(`4194999-1-${host}`)).toBe(false); // above Linux's largest id
  expect(mayRun("4194999-1-elsewhere")).toBe(true);
  expect(mayRun("nonsense")).toBe(true);
});
