// Causal attention with its gradient on a card, at the head dims of the paper's Table 1: cuDNN's call beside the block form,
// both in bfloat16 and both held to the block form in float32. A line of JSON a head dim. Needs `npm run build`.
// Usage: node bench/device_attention.mjs [--device cuda] [--dims 32,46,64,90,128,256,512] [--batch 2] [--length 2048] [--groups 1]

import { parseArgs } from "node:util";
import { cast, causalAttention, causalAttentionGrad } from "../dist/graph/ops.js";
import { input, trace } from "../dist/graph/trace.js";
import { PjrtBuffer, PjrtClient } from "../dist/runtime/pjrt/client.js";
import { findPlugin, prepareEnvironment } from "../dist/runtime/pjrt/plugins.js";
import { toStableHlo } from "../dist/stablehlo/module.js";
import { Random } from "../dist/tensor/random.js";

const { values: flags } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    dims: { type: "string", default: "32,46,64,90,128,256,512" },
    batch: { type: "string", default: "2" },
    length: { type: "string", default: "2048" },
    width: { type: "string", default: "2048" },
    groups: { type: "string", default: "1" },
    turns: { type: "string", default: "20" },
  },
});
const [batch, length, width, groups, turns] = ["batch", "length", "width", "groups", "turns"].map((name) =>
  Number(flags[name]),
);
const plugin = findPlugin(flags.device);
if ("advice" in plugin) throw new Error(plugin.advice);
prepareEnvironment(plugin);
const client = await PjrtClient.open(plugin.path);
const [card] = client.devices;
console.error(`${card.kind}, ${client.platformVersion.split("\n")[0]}`);

for (const dim of flags.dims.split(",").map(Number)) {
  const heads = Math.floor(width / dim / groups) * groups;
  const given = inputs(dim, heads);
  const exact = await tried(dim, heads, given, { dtype: "float32", attention: "blocks", precision: "highest" });
  const blocks = await tried(dim, heads, given, { dtype: "bfloat16", attention: "blocks" });
  const cudnn = await tried(dim, heads, given, { dtype: "bfloat16", attention: "cudnn", cudnnHead: 4096 });
  const told = ({ outputs, ...rest }) => ({ ...rest, ...(outputs && { apart: apart(outputs, exact.outputs) }) });
  console.log(JSON.stringify({ dim, heads, groups, batch, length, blocks: told(blocks), cudnn: told(cudnn) }));
}

/** Queries, keys, values and the output's gradient, rounded to bfloat16 by whoever reads them. */
function inputs(dim, heads) {
  const random = new Random(1);
  return [heads, groups, groups, heads].map((count) => {
    const data = Float32Array.from({ length: batch * length * count * dim }, () => 2 * random.uniform() - 1);
    return client.upload({ dtype: "float32", shape: [batch, length, count, dim], data }, card);
  });
}

/** Its outputs (dq, dk, dv and the output) and milliseconds of one run, or why there are none. */
async function tried(dim, heads, given, { dtype, ...options }) {
  const scale = 1 / Math.sqrt(dim);
  const graph = trace(() => {
    const read = (name, count) => {
      const rounded = cast(input(name, "float32", [batch, length, count, dim]), "bfloat16");
      return cast(rounded, dtype);
    };
    const [q, k, v, g] = [read("q", heads), read("k", groups), read("v", groups), read("g", heads)];
    const out = causalAttention(q, k, v, scale);
    const gradients = causalAttentionGrad([q, k, v], out.node.outputs, g, scale);
    return Object.fromEntries([...gradients, out].map((value, i) => [`o${i}`, cast(value, "float32")]));
  });
  try {
    const module = toStableHlo(graph, options);
    const executable = await client.compile(module.text);
    const run = () => executable.execute([given])[0];
    const wrap = (handles) =>
      handles.map((handle, i) => new PjrtBuffer(client, handle, "float32", graph.outputs[`o${i}`].shape));
    const outputs = [];
    for (const buffer of wrap(run())) outputs.push((await buffer.download()).data);
    const start = performance.now();
    for (let turn = 0; turn < turns; turn++) {
      const buffers = wrap(run());
      if (turn === turns - 1) await Promise.all(buffers.map((buffer) => buffer.ready()));
      for (const buffer of buffers) buffer[Symbol.dispose]();
    }
    const ms = (performance.now() - start) / turns;
    const temporary = executable.memory.temporary;
    executable[Symbol.dispose]();
    return { ms: Number(ms.toFixed(3)), temporary, outputs };
  } catch (error) {
    return { refused: error.message.split("\n")[0].slice(0, 300) };
  }
}

/** The root mean square of differences over that of the values, of dq, dk, dv and the output. */
function apart(found, wanted) {
  return found.map((data, i) => {
    let [difference, size] = [0, 0];
    for (let j = 0; j < data.length; j++) {
      difference += (data[j] - wanted[i][j]) ** 2;
      size += wanted[i][j] ** 2;
    }
    return Number(Math.sqrt(difference / size).toExponential(1));
  });
}
