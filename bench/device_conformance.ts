// Whether a device computes what it should: every operation beside the float64 interpreter, in float32 and in bfloat16, and
// short trainings beside plain JavaScript. The tests' own cases, for a machine that has a card and no test runner.
// Usage: npx tsx bench/device_conformance.ts [--device cuda]; prints what is off, and counts.

import { parseArgs } from "node:util";
import type { Precision } from "../src/model/precision.ts";
import { share, unshared } from "../src/model/sharing.ts";
import type { Device } from "../src/runtime/device.ts";
import { openDevice } from "../src/runtime/open-device.ts";
import { differenceOf } from "../test/graph/difference.ts";
import type { Case } from "../test/graph/random-inputs.ts";
import { type Heads, kvHeads, tinyConfig } from "../test/model/tiny.ts";
import { bfloat16Cases, bfloat16Tolerance, cases, runCase, tolerance } from "../test/runtime/conformance-cases.ts";
import { furthest, run } from "../test/train/short-run.ts";

const { values: flags } = parseArgs({ options: { device: { type: "string", default: "cuda" } } });
/** How far losses of 8 steps may be from those of plain JavaScript in float32. */
const lossTolerance: Readonly<Record<Precision, number>> = { float32: 1e-4, bfloat16: 0.02 };
const counts = { passed: 0, failed: 0 };

await using device = await openDevice(flags.device);
await using host = await openDevice("host");
console.log(`${device.name}: ${device.kind}, ${device.runtime}`);

for (const [operation, uses] of Object.entries(cases)) {
  for (const [use, build] of Object.entries(uses)) {
    await judge(`${operation}: ${use}`, () => computed(device, build, tolerance));
  }
}
for (const [name, build] of Object.entries(bfloat16Cases)) {
  await judge(`bfloat16: ${name}`, () => computed(device, build, bfloat16Tolerance));
}
for (const [name, sharing] of Object.entries({ unshared: unshared(4), CLA2: share(4, 2), Tail: share(4, 3) })) {
  for (const heads of Object.keys(kvHeads) as Heads[]) {
    const model = tinyConfig(sharing, heads);
    const { losses } = await run(host, model);
    for (const precision of ["float32", "bfloat16"] as const) {
      await judge(`training in ${precision}: ${name}, ${heads}`, async () => {
        const off = furthest(losses, (await run(device, model, { precision })).losses);
        return off <= lossTolerance[precision] ? undefined : `losses are off by ${off.toExponential(1)}`;
      });
    }
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;

async function judge(name: string, wrong: () => Promise<string | undefined>): Promise<void> {
  const difference = await wrong().catch((error: Error) => error.message.split("\n")[0] as string);
  counts[difference ? "failed" : "passed"]++;
  if (difference) console.log(`${name}: ${difference}`);
}

/** What is wrong with a case on a device. */
async function computed(on: Device, build: Case, allowed: number): Promise<string | undefined> {
  const { found, expected } = await runCase(on, build);
  const differences = Object.entries(expected).map(([name, numbers]) => differenceOf(found[name], numbers, allowed));
  return differences.find((difference) => difference !== undefined);
}
