// How long a conversion without calibration takes: a model of random weights (24 layers of width 1024 if not said) is
// written as a run, converted by `convertRun` as the command line does, and read again. Run by
// `npx tsx bench/convert.ts [layers] [width]`.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesText, countText } from "../src/charts/quantity.ts";
import { RunDirectory } from "../src/checkpoint/run-directory.ts";
import { convertRun } from "../src/convert/conversion.ts";
import { modelConfig } from "../src/model/config.ts";
import { parameterCount } from "../src/model/cost.ts";
import { parameters } from "../src/model/parameters.ts";
import { share } from "../src/model/sharing.ts";
import { sizeOf, type Tensors } from "../src/tensor/tensor.ts";

const [layers = 24, width = 1024] = process.argv.slice(2).map(Number);
const sizes = { layers, width, heads: width / 64, kvHeads: width / 64, headDim: 64 };
const model = modelConfig({ ...sizes, mlpWidth: Math.round((width * 8) / 3 / 32) * 32, vocab: 32000, context: 2048 });
const weights: Tensors = Object.fromEntries(
  parameters(model).map(({ name, shape }, i) => {
    const data = new Float32Array(sizeOf(shape));
    for (let j = 0; j < data.length; j++) data[j] = Math.sin(j + 1000 * i) * 0.05;
    return [name, { dtype: "float32", shape, data }];
  }),
);
const { total } = parameterCount(model);
console.log(`${layers} layers, width ${width}, MHA: ${countText(total)} parameters, ${bytesText(4 * total)}`);

const scratch = mkdtempSync(join(tmpdir(), "crosslayer-bench-convert-"));
try {
  const at = (name: string) => join(scratch, name);
  const run = await RunDirectory.create(at("from"), { name: "bench", model, recipe: null, data: {} }, {});
  await run.saveModel(weights);
  for (const init of ["owner", "mean"] as const) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    const options = { from: at("from"), out: at(init), init, sharing: () => share(layers, 2), kvHeads: 4 };
    await convertRun(options, () => Promise.reject(new Error("no device is needed")));
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    const computed = `${((user + system) / 1e6).toFixed(1)} s of processor time`;
    const verdict = seconds <= 60 ? "at most 60 s" : "TOO SLOW";
    console.log(`${init}: CLA2 and 4 KV heads in ${seconds.toFixed(1)} s, ${computed}: ${verdict}`);
    if (seconds > 60) process.exitCode = 1;
    rmSync(at(init), { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true });
}
