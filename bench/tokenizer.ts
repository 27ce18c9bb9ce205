// How fast BPE trains and encodes, on the corpus that comes with the package: `npx tsx bench/tokenizer.ts [vocab]`.

import { PieceCounts, trainBpe } from "../src/text/bpe-training.ts";
import { openSource } from "../src/text/source.ts";
import { loadTokenizer } from "../src/text/tokenizer.ts";

const vocab = Number(process.argv[2] ?? 2048);
const documents: string[] = [];
for await (const document of openSource("sotu").documents()) documents.push(document);
const megabytes = documents.reduce((bytes, document) => bytes + Buffer.byteLength(document), 0) / 1e6;
console.log(`${documents.length} documents, ${megabytes.toFixed(1)} MB, vocabulary ${vocab}`);

const counts = new PieceCounts();
report("count pieces", () => {
  for (const document of documents) counts.add(document);
});
const trained = report("train", () => trainBpe(counts, { vocab }));
const encoded = report("encode, first time", () => documents.map((document) => trained.encode(document)));
report("encode, again", () => documents.map((document) => trained.encode(document)));
const tokens = encoded.reduce((count, ids) => count + ids.length, 0);
const decoded = report("decode", () => encoded.map((ids) => trained.decode(ids)));
console.log(`${((megabytes * 1e6) / tokens).toFixed(2)} bytes per token`);
if (!decoded.every((text, i) => text === documents[i])) throw new Error("decoding does not give back the documents");
report("load tokenizer.json", () => loadTokenizer(JSON.parse(JSON.stringify(trained.json))));

function report<T>(what: string, work: () => T): T {
  const begin = performance.now();
  const result = work();
  const seconds = (performance.now() - begin) / 1000;
  console.log(
    `${what.padEnd(20)} ${seconds.toFixed(2).padStart(6)} s ${(megabytes / seconds).toFixed(1).padStart(8)} MB/s`,
  );
  return result;
}
