// Lets a trained run write many texts at once, in one engine with a fixed amount of memory for keys and values.

import { Engine } from "crosslayer";

const [run = "runs/x", count = "24"] = process.argv.slice(2);

await using engine = await Engine.load(run, { kvMemory: "8MB", kvDtype: "int8", weights: "int8" });
const { name, kvBytesPerToken, kvTokens } = engine.info;
console.log(`${name}: ${kvTokens} tokens of cache at ${kvBytesPerToken} bytes each`);

const texts = await Promise.all(
  Array.from({ length: Number(count) }, async (_, seed) => {
    let text = "";
    for await (const chunk of engine.generate("Fellow citizens", { maxTokens: 24, seed })) text += chunk.text;
    return text;
  }),
);
console.log(texts.slice(0, 3).join("\n---\n"));

const controller = new AbortController();
setTimeout(() => controller.abort(), 20);
for await (const { finishReason } of engine.generate("The", { signal: controller.signal, ignoreEnd: true })) {
  if (finishReason) console.log(`the last text ended by ${finishReason}`);
}
const { decodeTokens, prefixHitRate, blocks } = engine.stats();
console.log(
  `${decodeTokens} tokens decoded, ${(100 * prefixHitRate).toFixed(0)}% of prompts found, ${blocks.used} blocks in use`,
);
