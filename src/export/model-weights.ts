// A model's parameters as its run keeps them, read one at a time, and the same model told in other parameters: some projects
// have norms or biases where it has none, or none where it has. Knows no layouts.

import { hasChecksum, readChecked } from "../checkpoint/checksum.ts";
import type { RunDirectory } from "../checkpoint/run-directory.ts";
import { decode, openSafetensors } from "../checkpoint/safetensors.ts";
import { bytesOf, isBlocks, readDtype, type StoredType } from "../checkpoint/safetensors-header.ts";
import { isWeight, pickWeights } from "../checkpoint/weights.ts";
import type { ModelConfig } from "../model/config.ts";
import { type Parameter, parameters } from "../model/parameters.ts";
import { parameterName, type SiteName } from "../model/sites.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** A parameter as it is stored. */
export interface StoredTensor {
  readonly stored: StoredType;
  readonly shape: readonly number[];
  /** Its bytes, in memory of their own. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** A model and its parameters by name. */
export interface ModelWeights {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** A run's weights, open. */
export interface OpenWeights extends ModelWeights, AsyncDisposable {}

/** Opens a run's weights. @throws InputError if they are damaged, or not the config's. */
export async function openWeights(run: RunDirectory): Promise<OpenWeights> {
  const config = run.config.model;
  const file = await openSafetensors(run.weightsPath);
  try {
    if (hasChecksum(file)) await readChecked(file, () => false);
    run.checkOrigin(file.path, file.metadata);
    const known = file.names.filter(isWeight).map((name) => [name, file.info(name)] as const);
    const { tensors } = pickWeights(file.path, config, Object.fromEntries(known));
    const stored = Object.entries(tensors).map(([name, { stored, shape }]) => {
      const tensor = { stored, shape, bytes: () => file.bytes(name) };
      return [name, isBlocks(stored) ? widened(tensor) : tensor] as const; // no other project's folders have blocks
    });
    return { config, tensors: new Map(stored), [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A parameter's numbers. */
export async function numbersOf({ stored, shape, bytes }: StoredTensor): Promise<Float32Array> {
  return decode({ dtype: readDtype(stored), stored, shape, begin: 0, end: 0 }, await bytes()).data as Float32Array;
}

/** A parameter in float32. */
export function widened(tensor: StoredTensor): StoredTensor {
  if (tensor.stored === "F32") return tensor;
  return float32(tensor.shape, () => numbersOf(tensor));
}

function float32(shape: readonly number[], numbers: () => Promise<Float32Array> | Float32Array): StoredTensor {
  return {
    ...{ stored: "F32", shape },
    bytes: async () => {
      const { buffer, byteOffset, byteLength } = await numbers();
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    },
  };
}

/**
 * The same model whose owners norm keys and values as queries. RMSNorm divides both by the same root mean square, so only
 * the scales differ, which are columns of the products: where they are not the same bits, queries, keys and values take
 * them over, in float32, and the norm that is left is ones. Every layer must be an owner: where keys are another layer's,
 * their norm reads another residual stream.
 */
export async function withSharedNorms(weights: ModelWeights): Promise<ModelWeights & { readonly folded: number }> {
  const { config } = weights;
  if (config.kvNorm === "shared") return { ...weights, folded: 0 };
  const tensors = new Map(weights.tensors);
  const find = (name: string) => weights.tensors.get(name) as StoredTensor;
  let folded = 0;
  for (let layer = 0; layer < config.layers; layer++) {
    const at = (site: SiteName) => parameterName(site, layer);
    const [norm, kvNorm] = [find(at("attn.norm")), find(at("attn.kv_norm"))];
    tensors.delete(at("attn.kv_norm"));
    const [scale, kvScale] = await Promise.all([numbersOf(norm), numbersOf(kvNorm)]);
    if (scale.every((number, i) => Object.is(number, kvScale[i]))) continue;
    folded++;
    tensors.set(
      at("attn.norm"),
      float32(norm.shape, () => new Float32Array(sizeOf(norm.shape)).fill(1)),
    );
    const scaled = [
      ["attn.q", scale],
      ["attn.k", kvScale],
      ["attn.v", kvScale],
    ] as const;
    for (const [site, columns] of scaled) tensors.set(at(site), withScaledColumns(find(at(site)), columns));
  }
  return { config: { ...config, kvNorm: "shared" }, tensors, folded };
}

function withScaledColumns(matrix: StoredTensor, scale: Float32Array): StoredTensor {
  return float32(matrix.shape, async () => {
    const numbers = await numbersOf(matrix);
    for (let i = 0; i < numbers.length; i++) {
      numbers[i] = (numbers[i] as number) * (scale[i % scale.length] as number);
    }
    return numbers;
  });
}

/** The same model whose owners norm keys and values by a norm of their own, which is a copy of the queries'. */
export function withOwnNorms(weights: ModelWeights): ModelWeights {
  if (weights.config.kvNorm === "own") return weights;
  return filled(weights, { kvNorm: "own" }, ({ layer }) => parameterName("attn.norm", layer as number));
}

/** The same model with these biases beside its own; those that it has not are zeros. */
export function withBiases(weights: ModelWeights, biases: ModelConfig["biases"]): ModelWeights {
  const more = filled(weights, { biases }, (_, matrix) => matrix);
  const isNew = (name: string) => !weights.tensors.has(name);
  const tensors = [...more.tensors].map(([name, tensor]) => [name, isNew(name) ? zeros(tensor) : tensor] as const);
  return { ...more, tensors: new Map(tensors) };
}

/** Zeros for the rows of a matrix. */
function zeros({ stored, shape: [rows = 0] }: StoredTensor): StoredTensor {
  return { stored, shape: [rows], bytes: async () => new Uint8Array(bytesOf(stored, rows)) };
}

/** The model with some of its config changed. A parameter that is new is `from` another, told by the one before it. */
function filled(
  { config, tensors }: ModelWeights,
  change: Partial<ModelConfig>,
  from: (parameter: Parameter, before: string) => string,
): ModelWeights {
  const changed = { ...config, ...change };
  let before = "";
  const all = parameters(changed).map((parameter) => {
    const { name } = parameter;
    const tensor = tensors.get(name) ?? tensors.get(from(parameter, before));
    before = name;
    return [name, tensor as StoredTensor] as const;
  });
  return { config: changed, tensors: new Map(all) };
}
