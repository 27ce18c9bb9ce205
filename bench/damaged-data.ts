// Damaged data files, many of them: each is an error or is read whole, in bounded time and memory. Prints how many were
// which, the longest reading and the most memory; anything else ends it with the file that did it.
// npx tsx bench/damaged-data.ts [files]

import { Random } from "../src/tensor/random.ts";
import { damaged, readAll, wholeFiles } from "../test/text/damaged.ts";

const total = Number(process.argv[2] ?? 100_000);
const kinds = Object.entries(wholeFiles);
const random = new Random(1);
const start = performance.now();
let longest = 0;
let mostBytes = 0;
for (const [kind, { bytes, name, count }] of kinds) {
  const [refused, whole] = [[] as string[], [] as number[]];
  for (let i = 0; i < total / kinds.length; i++) {
    const begun = performance.now();
    const found = await readAll(name, damaged(bytes, random));
    const took = performance.now() - begun;
    if (took > 1000) console.log(`${kind}, file ${i}: ${took.toFixed(0)} ms, ${found}`);
    longest = Math.max(longest, took);
    mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
    if (typeof found !== "number") refused.push(found.message);
    else if (name.endsWith(".parquet") && found !== count) throw new Error(`${kind}, file ${i}: ${found} of ${count}`);
    else whole.push(found);
  }
  console.log(`${kind}: ${refused.length} refused, ${whole.length} read whole`);
}
const seconds = (performance.now() - start) / 1000;
console.log(
  `${total} files in ${seconds.toFixed(0)} s; the longest took ${longest.toFixed(0)} ms; ${(mostBytes / 2 ** 20).toFixed(0)} MiB at most`,
);
