// A server in a program of your own: a run behind the OpenAI API on a free port, asked once over HTTP.
// Run train-and-generate.ts first, or give another run: npx tsx examples/serve.ts runs/x

import { HttpServer, ServedModels } from "crosslayer";
import { pino } from "pino";

const path = process.argv[2] ?? "runs/example";
await using models = await ServedModels.open([{ id: "mine", path }], { kvMemory: 64e6 });
const logger = pino({ level: "warn" });
const server = await HttpServer.listen({ models, logger, version: "example", host: "127.0.0.1", port: 0 });

const answer = await fetch(`${server.url}/v1/completions`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ model: "mine", prompt: "Fellow citizens", max_tokens: 20, seed: 1 }),
});
const { choices, usage } = (await answer.json()) as { choices: { text: string }[]; usage: object };
console.log(`Fellow citizens${choices[0]?.text}`, usage);
await server.drain(1000);
