import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "crosslayer-package-"));
afterAll(() => rmSync(scratch, { recursive: true }));

it("the packed package installs elsewhere from npm's registry alone, runs its command, is imported and typed", () => {
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
  npm(["install", "--prefer-offline", "--no-audit", "--no-fund", join(scratch, packed.filename)], elsewhere); // scripts run
  const ort = join(elsewhere, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
  const cuda = readdirSync(ort).filter((name) => name.includes("_providers_"));
  if (process.platform === "linux" && process.arch === "x64") expect(cuda).toHaveLength(3);
  expect(cuda.map((name) => statSync(join(ort, name)).size)).toEqual(cuda.map(() => 0)); // not downloaded
  const { devices } = JSON.parse(npm(["exec", "--", "crosslayer", "devices", "--json"], elsewhere));
  expect(devices[0]).toMatchObject({ device: "cpu", runtime: expect.stringMatching(/^onnxruntime-node 1\./) });
  const inspected = npm(["exec", "--", "crosslayer", "inspect", "H64-MQA-CLA2", "--depth", "4", "--json"], elsewhere);
  expect(JSON.parse(inspected).kvBytesPerToken).toEqual({ float32: 1024, float16: 512 });
  const program =
    'import { namedModel, scales, kvBytesPerToken } from "crosslayer"; console.log(kvBytesPerToken(namedModel("H128-MQA", scales["1b"]), "float16"))';
  expect(
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { cwd: elsewhere, encoding: "utf8" }).trim(),
  ).toBe("10240");

  writeFileSync(
    join(elsewhere, "program.ts"),
    `import { Engine, HttpServer, type ModelConfig, namedModel, openCorpus, RunDirectory, ServedStudy, scales } from "crosslayer";
export const model: ModelConfig = namedModel("H128-MQA", scales["1b"]);
export const all = [Engine, HttpServer, openCorpus, RunDirectory, ServedStudy];
`,
  );
  const options = { strict: true, skipLibCheck: false, noEmit: true, module: "NodeNext", target: "ES2022", types: [] };
  writeFileSync(join(elsewhere, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
  const types = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", elsewhere], {
    encoding: "utf8",
  });
  expect([types.stdout, types.status]).toEqual(["", 0]);
});

it("no production dependency counts installs or builds natively", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; hasInstallScript?: boolean; optional?: boolean }>;
  };
  const production = Object.entries(packages).filter(([path, { dev }]) => path !== "" && !dev);
  expect(production.length).toBeGreaterThan(20);
  const scripted = production.filter(([, found]) => found.hasInstallScript).map(([path]) => path);
  expect(scripted).toEqual(["node_modules/koffi"]); // optional: takes what was built for this system
  expect(packages["node_modules/koffi"]?.optional).toBe(true);
});

it("no install of this project runs ONNX Runtime's download of CUDA libraries", () => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
  const locked = read("package-lock.json").packages["node_modules/onnxruntime-node"];
  // npm of every version runs only the scripts of packages that the lockfile marks. npm writes the mark when it updates
  // the package: remove the line "hasInstallScript" again.
  expect(locked.version).toBe(read("package.json").dependencies["onnxruntime-node"]);
  expect(locked).not.toHaveProperty("hasInstallScript");
});
