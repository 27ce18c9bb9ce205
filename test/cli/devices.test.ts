// `crosslayer devices` where a plugin is not what it should be.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { crosslayer } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "crosslayer-devices-"));
const named = process.env.CROSSLAYER_PJRT_PLUGIN;
const compiles = spawnSync("cc", ["--version"]).status === 0;
if (!compiles) console.warn("no C compiler: a plugin that crashes is not tried");

afterEach(() => {
  if (named === undefined) delete process.env.CROSSLAYER_PJRT_PLUGIN;
  else process.env.CROSSLAYER_PJRT_PLUGIN = named;
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What the command says of the plugin at `path`. */
async function told(path: string) {
  process.env.CROSSLAYER_PJRT_PLUGIN = path;
  const { status, out } = await crosslayer(["devices", "--json"]);
  expect(status).toBe(0);
  const { devices } = JSON.parse(out) as { devices: { device: string; missing?: string }[] };
  expect(devices[0]?.missing).toBeUndefined();
  return devices.find(({ device }) => device === "xla")?.missing;
}

it("names a plugin that is no library, and one that is not there", async () => {
  const path = join(directory, "text.so");
  writeFileSync(path, "no library");
  expect(await told(path)).toContain(`${path} is no PJRT plugin`);
  expect(await told(join(directory, "none.so"))).toContain(`no plugin at ${join(directory, "none.so")}`);
});

it.skipIf(!compiles)("outlives a plugin that crashes", async () => {
  const [source, path] = [join(directory, "crash.c"), join(directory, "crash.so")];
  writeFileSync(source, "#include <stdlib.h>\nvoid *GetPjrtApi(void) { abort(); }\n");
  expect(spawnSync("cc", ["-shared", "-fPIC", "-o", path, source]).status).toBe(0);
  expect(await told(path)).toContain("ended with SIGABRT");
});
