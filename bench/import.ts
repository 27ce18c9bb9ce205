// How fast a checkpoint is imported and how much memory it takes: a synthetic Llama in bfloat16 of `--gigabytes`, in shards,
// beside the speed at which the disk gives the same files and takes as many bytes. Caches are dropped where that is allowed.
//   npx tsx bench/import.ts --gigabytes 1.5

import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeHeader } from "../src/checkpoint/safetensors.ts";
import { foreignTensors } from "../src/foreign/layout.ts";
import { layouts } from "../src/foreign/layouts.ts";
import { modelConfig } from "../src/model/config.ts";
import { sizeOf } from "../src/tensor/tensor.ts";
import { trainBpe } from "../src/text/bpe-training.ts";

const { values } = parseArgs({
  options: { gigabytes: { type: "string", default: "1.5" }, folder: { type: "string" } },
});
const folder = mkdtempSync(join(values.folder ?? tmpdir(), "crosslayer-import-"));
try {
  measure();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function measure(): void {
  const bytes = writeCheckpoint(Number(values.gigabytes) * 1e9);
  const piece = Buffer.alloc(1 << 23);
  const shards = readdirSync(folder).filter((name) => name.endsWith(".safetensors"));
  const cold = dropCaches();
  const read = seconds(() => {
    for (const name of shards) {
      const file = openSync(join(folder, name), "r");
      while (readSync(file, piece) > 0);
      closeSync(file);
    }
  });
  const written = seconds(() => {
    const file = openSync(join(folder, "written"), "w");
    for (let at = 0; at < bytes; at += piece.length) writeSync(file, piece);
    fsyncSync(file);
    closeSync(file);
  });
  rmSync(join(folder, "written"));
  dropCaches();
  const main = join(import.meta.dirname, "../dist/cli/main.js");
  const peakFile = join(folder, "peak");
  const watcher = join(folder, "watcher.cjs");
  const told = `require("node:fs").writeFileSync(${JSON.stringify(peakFile)}, JSON.stringify(process.resourceUsage()))`;
  writeFileSync(watcher, `process.on("exit", () => ${told});`);
  const took = seconds(() => {
    const command = ["--require", watcher, main, "import", folder, "--out", join(folder, "run")];
    const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  });
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(readFileSync(peakFile, "utf8"));
  const [peak, busy] = [maxRSS * 1024, (userCPUTime + systemCPUTime) / 1e6];
  const made = statSync(join(folder, "run", "model.safetensors")).size;
  const rate = (time: number) => `${(bytes / time / 1e9).toFixed(2)} GB/s`;
  console.log(
    `${(bytes / 1e9).toFixed(2)} GB in ${shards.length} shards, ${cold ? "caches dropped" : "caches warm"}; the run's weights are ${(made / 1e9).toFixed(2)} GB`,
  );
  console.log(`the disk reads     ${rate(read)}, and writes and syncs ${rate(written)}`);
  console.log(
    `import takes       ${took.toFixed(1)} s, so it reads ${rate(took)}: ${Math.round((100 * read) / took)}% of the disk's speed (it writes as much, and syncs)`,
  );
  const both = Math.round((100 * (read + written)) / took);
  console.log(`                   ${both}% of the speed of reading them all and then writing as much`);
  console.log(`processor time     ${busy.toFixed(1)} s, starting included`);
  console.log(`peak memory        ${(peak / 1e6).toFixed(0)} MB, ${(peak / bytes).toFixed(2)} of the model's size`);
}

function writeCheckpoint(target: number): number {
  const [width, mlpWidth, vocab] = [1024, 2816, 32000];
  const perLayer = 2 * (2 * width * width + 2 * width * 512 + 3 * width * mlpWidth);
  const layers = Math.max(1, Math.round((target - 2 * vocab * width) / perLayer));
  const config = {
    model_type: "llama",
    hidden_size: width,
    intermediate_size: mlpWidth,
    num_hidden_layers: layers,
    num_attention_heads: 16,
    num_key_value_heads: 8,
    vocab_size: vocab,
    max_position_embeddings: 2048,
    tie_word_embeddings: true,
  };
  const model = modelConfig({ layers, width, heads: 16, kvHeads: 8, headDim: 64, mlpWidth, vocab, kvNorm: "shared" });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(trainBpe(["a b c"], { vocab: 257 }).json));
  const tensors = [...foreignTensors(model, layouts.llama).values()];
  const perShard = Math.ceil(tensors.length / 4);
  const noise = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, i) => (i % 2 === 0 ? (i * 7919) >> 4 : 0x3d)));
  const places: [string, string][] = [];
  let total = 0;
  for (let shard = 0; shard * perShard < tensors.length; shard++) {
    const name = `model-0000${shard + 1}-of-00004.safetensors`;
    const own = tensors.slice(shard * perShard, (shard + 1) * perShard);
    const file = openSync(join(folder, name), "w");
    writeSync(file, encodeHeader(own.map(({ name, shape }) => ({ name, stored: "BF16", shape }))));
    for (const tensor of own) {
      places.push([tensor.name, name]);
      const size = 2 * sizeOf(tensor.shape);
      total += size;
      for (let at = 0; at < size; at += noise.length) writeSync(file, noise, 0, Math.min(noise.length, size - at));
    }
    fsyncSync(file);
    closeSync(file);
  }
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ weight_map: Object.fromEntries(places) }),
  );
  return total;
}

function seconds(work: () => void): number {
  const begun = performance.now();
  work();
  return (performance.now() - begun) / 1000;
}

/** True if the next read comes from the disk. */
function dropCaches(): boolean {
  try {
    execFileSync("sync");
    writeFileSync("/proc/sys/vm/drop_caches", "3");
    return true;
  } catch {
    return false;
  }
}
