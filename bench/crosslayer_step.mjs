// Training steps by crosslayer, as its trainer takes them: one graph of loss, gradients, clipping and AdamW that
// updates its state in place. Needs `npm run build`.

import { modelConfig } from "../dist/model/config.js";
import { parameters } from "../dist/model/parameters.js";
import { putAll } from "../dist/runtime/device.js";
import { openDevice } from "../dist/runtime/open-device.js";
import { sizeOf, zeros } from "../dist/tensor/tensor.js";
import { momentNames, stepScalars } from "../dist/train/optimizer.js";
import { updateGraph } from "../dist/train/step.js";
import { adam, initialValues, options, serve, tokensOf } from "./workload.mjs";

const { size, threads, recompute } = options({ recompute: { type: "boolean" } });
const { batch, length, ...sizes } = size;
const config = modelConfig({ ...sizes, context: length });

const state = {};
let count = 0;
for (const { name, shape, init } of parameters(config)) {
  const elements = sizeOf(shape);
  const data = "std" in init ? initialValues(count, elements, init.std) : new Float32Array(elements).fill(init.value);
  const { first, second } = momentNames(name);
  state[name] = { dtype: "float32", shape, data };
  state[first] = zeros("float32", shape);
  state[second] = zeros("float32", shape);
  count += elements;
}

const graph = updateGraph(config, { batch, length, optimizer: adam, recompute });
const device = await openDevice(`cpu:${threads}`);
const program = await device.compile(graph);
const held = putAll(device, state);

await serve(count, async (step) => {
  const tokens = { dtype: "int32", shape: [batch, length + 1], data: tokensOf(size, step) };
  const fed = putAll(device, { ...stepScalars(adam, step, adam.rate), tokens });
  const { loss } = await program.run({ ...held, ...fed }); // which updates what is held in place
  return (await loss.read()).data[0];
});
