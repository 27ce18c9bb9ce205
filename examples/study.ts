// The paper's question on your own text: which sharing pattern, at what quality, for how many bytes?

import { readResults, study, studyPlan, summarize, writeOutputs } from "crosslayer";

const steps = Number(process.argv[2] ?? 300);
const directory = process.argv[3] ?? "runs/example-study";

const plan = studyPlan({
  name: "example",
  data: { source: "sotu", vocab: 1024 },
  family: { layers: 4, width: 64, mlpWidth: 160 },
  context: 64,
  models: ["H32-MQA", "H32-MQA-CLA2"],
  seeds: [1],
  learningRates: [5e-3],
  recipe: { steps, batch: 8 },
});

for await (const event of study(plan, { directory })) {
  if (event.kind === "result") console.log(event.result.name, event.result.validation.perplexity.toFixed(1));
}
const results = await readResults(`${directory}/results.jsonl`);
for (const row of summarize(results)) console.log(`${row.name}: ${row.kvBytesPerToken} bytes/token`);
console.log(await writeOutputs(directory, results, { plan, command: "npx tsx examples/study.ts", duration: 0 }));
