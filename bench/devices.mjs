// Training steps of the same model on one card by crosslayer, JAX and PyTorch, side by side: each in a process of its own,
// taking turns of some steps. Needs `npm run build`, and a Python with JAX and PyTorch. Prints a line of JSON a contender
// and size as it comes, and at the end a table.
// Usage: node bench/devices.mjs [--sizes 26m,110m,371m,1b] [--contenders crosslayer,jax,torch] [--steps 24] [--turns 3]
//   [--device cuda] [--python python3] [--crosslayer "node bench/device_step.mjs"] [--out FILE] [--check] [-- MORE]
// or: node bench/devices.mjs --table FILE, the table of what an earlier run wrote.
// What stands after -- is given to all contenders. `--check` gives all the same weights, compares their losses and fails
// where they differ.

import { spawn } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const { values: flags, positionals: more } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: "string", default: "26m,110m,371m,1b" },
    contenders: { type: "string", default: "crosslayer,jax,torch" },
    steps: { type: "string", default: "24" },
    turns: { type: "string", default: "3" },
    device: { type: "string", default: "cuda" },
    python: { type: "string", default: "python3" },
    crosslayer: { type: "string", default: `${process.execPath} ${here("device_step.mjs")}` },
    out: { type: "string" },
    table: { type: "string" },
    check: { type: "boolean", default: false },
  },
});

const commands = {
  crosslayer: flags.crosslayer.split(" "),
  jax: [flags.python, here("device_step_jax.py")],
  torch: [flags.python, here("device_step_torch.py")],
};
/** A size at which each has the card to itself: three together do not fit. */
const alone = new Set(["1b"]);
const names = flags.contenders.split(",");
const turns = Number(flags.turns);
const steps = Math.ceil(Number(flags.steps) / turns);
/** XLA would take three quarters of the card at once. */
const environment = { ...process.env, XLA_PYTHON_CLIENT_PREALLOCATE: "false" };

const lines = flags.table ? readFileSync(flags.table, "utf8").trim().split("\n").map(JSON.parse) : [];
for (const size of flags.table ? [] : flags.sizes.split(",")) {
  const groups = alone.has(size) ? names.map((name) => [name]) : [names];
  for (const group of groups) await measure(size, group);
}
console.error("size | contender | tokens/s | ms | MFU | peak GB | compiler's GB | first step s | crosslayer ×");
for (const line of lines) table(line);
if (flags.check) compare();

/** One size by contenders that take turns. crosslayer starts alone; the others compile at the same time. */
async function measure(size, group) {
  const [ours, others] = [group.filter((name) => name === "crosslayer"), group.filter((name) => name !== "crosslayer")];
  const started = [];
  for (const name of ours) started.push(await begin(name, size));
  started.push(...(await Promise.all(others.map((name) => begin(name, size)))));
  const running = started.filter(Boolean);
  for (let turn = 0; turn < turns; turn++) {
    for (const contender of running) await contender.ask(`${steps}\n`);
  }
  for (const contender of running) {
    const line = await contender.end();
    lines.push({ ...line, contender: contender.name, size });
    tell(lines.at(-1));
  }
}

/** Starts a contender and waits till it has taken its first step; undefined where it fails, which is told. */
async function begin(name, size) {
  const device = name === "crosslayer" ? flags.device : flags.device.startsWith("cuda") ? "cuda" : "cpu";
  const given = ["--serve", "--size", size, "--device", device, ...(flags.check ? ["--check"] : []), ...more];
  const [command, ...first] = commands[name];
  const child = spawn(command, [...first, ...given], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => {
    errors = (errors + data).slice(-2000);
  });
  child.stdin.on("error", () => {});
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await answers.next();
    if (!done) return JSON.parse(value);
    tell({ contender: name, size, failed: errors.trim().split("\n").slice(-6).join("\n") });
    return undefined;
  };
  if (!(await answer())) return undefined;
  return {
    name,
    ask: (line) => {
      child.stdin.write(line);
      return answer();
    },
    end: () => {
      child.stdin.end();
      return answer();
    },
  };
}

function tell(line) {
  const text = JSON.stringify(line);
  console.log(text);
  if (flags.out) appendFileSync(flags.out, `${text}\n`);
}

function table({ contender, size, tokensPerSecond, msPerStep, mfu, peakBytes, compiledBytes, firstStepSeconds }) {
  const ours = lines.find((line) => line.size === size && line.contender === "crosslayer")?.tokensPerSecond;
  const gigabytes = (bytes) => (bytes ? (bytes / 1e9).toFixed(2) : "–");
  const cells = [
    size,
    contender,
    tokensPerSecond,
    msPerStep,
    mfu ?? "–",
    gigabytes(peakBytes),
    gigabytes(compiledBytes),
  ];
  console.error([...cells, firstStepSeconds, (ours / tokensPerSecond).toFixed(3)].join(" | "));
}

/** The contenders' losses at every step, which must agree to the last digits that products leave. */
function compare() {
  for (const size of new Set(lines.map((line) => line.size))) {
    const [first, ...others] = lines.filter((line) => line.size === size);
    for (const other of others) {
      const apart = Math.max(...other.losses.map((loss, i) => Math.abs(loss / first.losses[i] - 1)));
      const same = other.parameters === first.parameters && apart < (first.precision === "float32" ? 1e-4 : 1e-2);
      console.error(
        `${size}: ${other.contender} has ${other.parameters} parameters, ${first.contender} ${first.parameters}`,
      );
      console.error(`${size}: losses of ${other.losses.length} steps differ by ${apart.toExponential(1)} at most`);
      if (!same) process.exitCode = 1;
    }
  }
}
