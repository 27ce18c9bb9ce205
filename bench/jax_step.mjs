// Training steps by @jax-js/jax on its best device in Node (WebAssembly): loss, gradients, clipping and AdamW in one
// jit. It is no dependency of this package: it is looked for beside this file, then in the folder that PEERS names.
// Arrays are reference counted there: every use of one but the last says `.ref`.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { adam, initialValues, notInstalled, options, serve, tokensOf } from "./workload.mjs";

const { size } = options();
const { layers, width, heads, kvHeads, headDim, mlpWidth, vocab, batch, length, sharing } = size;
const { init, blockUntilReady, defaultDevice, numpy: np, nn, jit, valueAndGrad, tree } = await load();
await init("wasm"); // without a name it asks for navigator.gpu, which Node 20 does not have
defaultDevice("wasm");

const { params, count } = initialize();
const moments = () => tree.map((x) => np.zeros(x.shape), params);
let state = [params, moments(), moments()];
const { cos, sin, mask } = constants();
const decays = (name) => !/embed|norm/.test(name);

const update = jit((weights, m, v, tokens, labels, rate, epsilon, kept) => {
  const [loss, gradients] = valueAndGrad((p) => lossOf(p, tokens, labels))(tree.ref(weights));
  const names = Object.keys(weights);
  const norm = np.sqrt(names.map((name) => np.sum(np.square(gradients[name].ref))).reduce((a, b) => a.add(b)));
  const scale = np.minimum(np.array(adam.clip).div(norm.add(1e-6)), 1);
  const next = [{}, {}, {}];
  for (const name of names) {
    const g = gradients[name].mul(scale.ref);
    const first = m[name].mul(adam.beta1).add(g.ref.mul(1 - adam.beta1));
    const second = v[name].mul(adam.beta2).add(np.square(g).mul(1 - adam.beta2));
    const change = first.ref.div(np.sqrt(second.ref).add(epsilon.ref)).mul(rate.ref);
    next[0][name] = (decays(name) ? weights[name].mul(kept.ref) : weights[name]).sub(change);
    next[1][name] = first;
    next[2][name] = second;
  }
  return [loss, ...next];
});

await serve(count, async (step) => {
  const ids = np.array(tokensOf(size, step), { dtype: np.int32 }).reshape([batch, length + 1]);
  const tokens = ids.ref.slice([], [0, length]);
  const labels = ids.slice([], [1, length + 1]);
  const [first, second] = [1 - adam.beta1 ** (step + 1), Math.sqrt(1 - adam.beta2 ** (step + 1))];
  const scalars = [(adam.rate * second) / first, adam.epsilon * second, 1 - adam.rate * adam.weightDecay];
  const [loss, ...next] = update(...state, tokens, labels, ...scalars.map((number) => np.array(number)));
  state = await blockUntilReady(next);
  return (await loss.data())[0];
});

function lossOf(p, tokens, labels) {
  const use = (name) => p[name].ref;
  let x = np.take(use("embed"), tokens, 0); // [B, T, C]
  let kv;
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    if (sharing[layer] === layer) {
      const normed = rmsNorm(x.ref, use(`${at}.attn.kv_norm`));
      const keys = rotate(linear(normed.ref, use(`${at}.attn.k`)), kvHeads);
      const values = splitHeads(linear(normed, use(`${at}.attn.v`)), kvHeads);
      if (kv) for (const array of kv) array.dispose();
      kv = [keys, values]; // [B, G, T, D]
    }
    const normed = rmsNorm(x.ref, use(`${at}.attn.norm`));
    const queries = rotate(linear(normed, use(`${at}.attn.q`)), heads);
    const mixed = attend(queries, kv[0].ref, kv[1].ref);
    x = x.add(linear(mixed, use(`${at}.attn.o`)));
    const stream = rmsNorm(x.ref, use(`${at}.mlp.norm`));
    const gated = nn.silu(linear(stream.ref, use(`${at}.mlp.gate`))).mul(linear(stream, use(`${at}.mlp.up`)));
    x = x.add(linear(gated, use(`${at}.mlp.down`)));
  }
  for (const array of kv) array.dispose();
  const logits = linear(rmsNorm(x, use("norm")), use("embed")); // [B, T, V]
  const picked = np.sum(logits.ref.mul(nn.oneHot(labels, vocab)), -1);
  const loss = np.mean(nn.logsumexp(logits, -1).sub(picked));
  tree.dispose(p);
  return loss;
}

function linear(x, weight) {
  return np.matmul(x, np.transpose(weight));
}

function rmsNorm(x, scale) {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(mean.add(1e-5))).mul(scale);
}

function splitHeads(x, count) {
  return np.transpose(x.reshape([batch, length, count, headDim]), [0, 2, 1, 3]);
}

function rotate(x, count) {
  const [a, b] = np.split(splitHeads(x, count), 2, -1);
  const real = a.ref.mul(cos.ref).sub(b.ref.mul(sin.ref));
  return np.concatenate([real, b.mul(cos.ref).add(a.mul(sin.ref))], -1);
}

// The query heads that share a KV head are rows of one matrix.
function attend(queries, keys, values) {
  const grouped = queries.reshape([batch, kvHeads, -1, headDim]);
  const scores = np.matmul(grouped, np.transpose(keys, [0, 1, 3, 2])).mul(1 / Math.sqrt(headDim));
  const weights = nn.softmax(scores.reshape([batch, heads, length, length]).add(mask.ref), -1);
  const mixed = np.matmul(weights.reshape([batch, kvHeads, -1, length]), values);
  return np.transpose(mixed.reshape([batch, heads, length, headDim]), [0, 2, 1, 3]).reshape([batch, length, -1]);
}

function constants() {
  const half = headDim / 2;
  const angles = Array.from({ length: length * half }, (_, i) => Math.floor(i / half) * 10000 ** (-(i % half) / half));
  const table = (f) => np.array(Float32Array.from(angles, f)).reshape([length, half]);
  const future = Float32Array.from({ length: length ** 2 }, (_, i) => (i % length > Math.floor(i / length) ? -1e9 : 0));
  return { cos: table(Math.cos), sin: table(Math.sin), mask: np.array(future).reshape([length, length]) };
}

function initialize() {
  const params = {};
  let count = 0;
  const std = Math.sqrt(1 / (3 * width));
  const add = (name, shape, deviation) => {
    const elements = shape.reduce((a, b) => a * b);
    const data = deviation ? initialValues(count, elements, deviation) : new Float32Array(elements).fill(1);
    params[name] = np.array(data).reshape(shape);
    count += elements;
  };
  add("embed", [vocab, width], std);
  for (let layer = 0; layer < layers; layer++) {
    const at = `layers.${layer}`;
    add(`${at}.attn.norm`, [width]);
    add(`${at}.attn.q`, [heads * headDim, width], std);
    if (sharing[layer] === layer) {
      add(`${at}.attn.kv_norm`, [width]);
      add(`${at}.attn.k`, [kvHeads * headDim, width], std);
      add(`${at}.attn.v`, [kvHeads * headDim, width], std);
    }
    add(`${at}.attn.o`, [width, heads * headDim], std / Math.sqrt(2 * layers));
    add(`${at}.mlp.norm`, [width]);
    add(`${at}.mlp.gate`, [mlpWidth, width], std);
    add(`${at}.mlp.up`, [mlpWidth, width], std);
    add(`${at}.mlp.down`, [width, mlpWidth], std / Math.sqrt(2 * layers));
  }
  add("norm", [width]);
  return { params, count };
}

async function load() {
  const file = join(resolve(process.env.PEERS ?? "."), "node_modules/@jax-js/jax/dist/index.js");
  try {
    return await import(existsSync(file) ? pathToFileURL(file).href : "@jax-js/jax");
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("not installed: @jax-js/jax");
    process.exit(notInstalled);
  }
}
