import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "crosslayer-package-"));
afterAll(() => rmSync(scratch, { recursive: true }));

it("the packed package installs elsewhere, runs its command and is imported", () => {
  const npm = (args: string[], cwd: string) =>
    execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", scratch], root));
  const names = packed.files.map(({ path }: { path: string }) => path);
  expect(names).toEqual(
    expect.arrayContaining(["dist/cli/main.js", "dist/index.d.ts", "LICENSE", "README.md", "CHANGELOG.md"]),
  );
  expect(names.filter((name: string) => /^(test|runs|docs|bench)\//.test(name))).toEqual([]);

  const elsewhere = join(scratch, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "package.json"), JSON.stringify({ name: "elsewhere", private: true, type: "module" }));
  npm(
    ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", join(scratch, packed.filename)],
    elsewhere,
  );
  const inspected = npm(["exec", "--", "crosslayer", "inspect", "H64-MQA-CLA2", "--depth", "4", "--json"], elsewhere);
  expect(JSON.parse(inspected).kvBytesPerToken).toEqual({ float32: 1024, float16: 512 });
  const program =
    'import { namedModel, scales, kvBytesPerToken } from "crosslayer"; console.log(kvBytesPerToken(namedModel("H128-MQA", scales["1b"]), "float16"))';
  expect(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: elsewhere, encoding: "utf8" }).trim(),
  ).toBe("10240");
});

it("no install of this project runs ONNX Runtime's download of CUDA libraries", () => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
  const locked = read("package-lock.json").packages["node_modules/onnxruntime-node"];
  // npm of every version runs only the scripts of packages that the lockfile marks. npm writes the mark when it updates
  // the package: remove the line "hasInstallScript" again.
  expect(locked.version).toBe(read("package.json").dependencies["onnxruntime-node"]);
  expect(locked).not.toHaveProperty("hasInstallScript");
});
