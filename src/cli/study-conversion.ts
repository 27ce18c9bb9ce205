// `npx crosslayer study --preset convert`: a trained model made to share, and trained on.

import { join } from "node:path";
import pc from "picocolors";
import { integerText } from "../charts/quantity.ts";
import type { ConversionPlan } from "../study/conversion/conversion-plan.ts";
import { versions } from "../study/trials/versions.ts";
import { openAsked } from "./device-options.ts";
import { interruptible } from "./interrupt.ts";
import { type Progress, progress } from "./progress.ts";

/** Runs a study of conversion and writes what it found. */
export async function runConversionStudy(
  plan: ConversionPlan,
  { asked, out, threads, device }: { asked: string; out?: string; threads?: number; device?: string },
): Promise<void> {
  const { conversionStudy } = await import("../study/conversion/conversion-study.ts");
  const { writeConversionOutputs } = await import("../study/conversion/conversion-outputs.ts");
  const { conversionFindings, conversionTerminalTable } = await import("../study/conversion/conversion-table.ts");
  const directory = out ?? join("runs", plan.name);
  await using opened = await openAsked({ threads, device });
  await interruptible(async (signal) => {
    const events = conversionStudy(plan, { directory, device: opened, threads, signal });
    let bar: Progress | undefined;
    for (;;) {
      const next = await events.next().catch((error) => {
        bar?.stop();
        if (signal.aborted) return { done: true as const, value: undefined };
        throw error;
      });
      if (next.done) {
        bar?.stop();
        if (!next.value) {
          console.error(`stopped; the same command goes on (${directory} keeps what is finished)`);
          return;
        }
        const command = `crosslayer study ${asked} --out ${directory}`;
        const files = await writeConversionOutputs(directory, next.value, {
          ...{ plan, command, versions: versions(opened.runtime) },
        });
        console.log(`\n${conversionTerminalTable(next.value)}\n`);
        for (const line of conversionFindings(next.value)) console.log(`- ${line}`);
        console.log(`\nWritten: ${files.join(", ")}`);
        return;
      }
      const event = next.value;
      if (event.kind === "run") {
        bar = progress(`[${event.done + 1}/${event.runs}] ${event.name.padEnd(22)}`, event.steps);
      } else if (event.kind === "step") {
        bar?.update(event.step, `loss ${event.loss.toFixed(3)}  ${integerText(event.tokensPerSecond)} tok/s`);
      } else {
        bar?.stop();
        const { name, before, after } = event.result;
        const start = before === undefined ? "" : `${before.toFixed(4)} → `;
        console.error(`${pc.green("✓")} ${name}: held-out loss ${start}${after.toFixed(4)}`);
      }
    }
  });
}
