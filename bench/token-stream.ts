// Whether training's tokens stream: batches drawn from a shard larger than what memory grows by, and how fast they come.
// Usage: npx tsx bench/token-stream.ts [--tokens 512000000] [--batch 32] [--context 1024]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Batches } from "../src/text/batches.ts";
import { openShard } from "../src/text/shard.ts";
import { ShardWriter } from "../src/text/shard-writer.ts";

const { values } = parseArgs({
  options: {
    tokens: { type: "string", default: "512000000" },
    batch: { type: "string", default: "32" },
    context: { type: "string", default: "1024" },
  },
});
const [tokens, batch, context] = [values.tokens, values.batch, values.context].map(Number) as [number, number, number];
const folder = mkdtempSync(join(tmpdir(), "token-stream-"));
try {
  const path = join(folder, "shard");
  const writer = new ShardWriter(path, 32000);
  const document = Uint32Array.from({ length: 1 << 20 }, (_, i) => (i * 7919) % 32000);
  while (writer.tokens < tokens) writer.append(document, { bytes: 1, words: 1 });
  await writer.finish();
  using shard = await openShard(path);
  const batches = new Batches(shard, { batch, context, seed: 0 });
  batches.next();
  const before = process.memoryUsage().rss;
  const steps = Math.floor(batches.perEpoch / batch);
  let most = before;
  const start = performance.now();
  for (let step = 1; step < steps; step++) {
    batches.next();
    if (step % 100 === 0) most = Math.max(most, process.memoryUsage().rss);
  }
  const seconds = (performance.now() - start) / 1000;
  const facts = {
    shardMB: Math.round((shard.tokens * shard.bytesPerToken) / 1e6),
    steps,
    residentBeforeMB: Math.round(before / 1e6),
    residentMostMB: Math.round(most / 1e6),
    tokensPerSecond: Math.round((steps * batch * context) / seconds),
  };
  console.log(JSON.stringify(facts));
} finally {
  rmSync(folder, { recursive: true });
}
