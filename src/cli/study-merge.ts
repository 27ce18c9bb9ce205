// `crosslayer study merge`: one study from parts that were run apart.

import { Command } from "commander";
import pc from "picocolors";
import { mergeStudies } from "../study/trials/merge.ts";
import { resultsPath } from "../study/trials/sweep.ts";

/** The subcommand of `study`. */
export function mergeCommand(): Command {
  return new Command("merge")
    .description(
      "put the results of several machines or sittings into one study; the same plan then goes on from there",
    )
    .argument("<parts...>", "directories of studies, or results.jsonl files")
    .requiredOption("--out <directory>", "the study that gets them; what it holds stays")
    .action(async (parts: string[], { out }: { out: string }) => {
      const { results, added, differing, copied } = await mergeStudies(out, parts);
      for (const { kept, left } of differing) {
        const [one, other] = [kept, left].map(({ validation }) => validation.loss.toFixed(6));
        const run = `${kept.name}, lr ${kept.learningRate}, seed ${kept.seed}`;
        console.error(`${pc.yellow("!")} ${run}: validation loss ${one} is kept, ${other} of another part is left out`);
      }
      const runs = copied.length === 0 ? "" : `, ${copied.length} with their weights`;
      console.log(`${resultsPath(out)}: ${results.length} runs, ${added} of them new${runs}`);
    });
}
