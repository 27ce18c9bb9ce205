// What sharing saves, without training anything: bytes of cache that are really allocated, for a few patterns.

import { kvBytesPerToken, namedModel, openDevice, PagedMemory, sharingPicture } from "crosslayer";

await using device = await openDevice("cpu");
const family = { layers: 12, width: 512, mlpWidth: 1376, vocab: 4096, context: 1024 };
for (const name of ["H64-MHA", "H64-MQA", "H64-MQA-CLA2", "H64-MQA-CLA3", "H64-MQA-CLA2-KeepEnds"]) {
  const model = namedModel(name, family);
  const memory = new PagedMemory(device, model, { blocks: 8, blockSize: 128, dtype: "float32" });
  const bytes = memory.bytes / (memory.blocks * memory.blockSize);
  console.log(`${name}: ${bytes} bytes per token allocated`);
  if (bytes !== kvBytesPerToken(model, "float32")) throw new Error("not the closed form");
}
console.log(sharingPicture(namedModel("H64-MQA-CLA3", family).sharing));
