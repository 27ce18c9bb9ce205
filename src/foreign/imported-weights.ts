// From another project's tensors to a model's parameters: which tensor each is in, whether it is there and fits, and its
// bytes in our order. Numbers keep their type. Knows no files.

import type { WrittenTensor } from "../checkpoint/checked-writer.ts";
import { bytesOf, quote, type StoredType } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../error.ts";
import type { ModelConfig } from "../model/config.ts";
import { modelName } from "../model/model-name.ts";
import { sizeOf } from "../tensor/tensor.ts";
import type { ForeignCheckpoint, ForeignTensor } from "./foreign-checkpoint.ts";
import { type ForeignTensorShape, foreignTensors, type TensorPart, unsharedTensors } from "./layout.ts";
import type { RowMap } from "./rows.ts";

/** What weights can be kept in. */
const weightTypes: readonly StoredType[] = ["F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "Q8_0", "Q4_0", "Q4_1"];

/** Bytes that are read at once. */
const pieceBytes = 1 << 23;

/** A checkpoint's weights as a run keeps them. */
export interface ImportedWeights {
  /** Every parameter, under our name. */
  readonly tensors: readonly WrittenTensor[];
  /** The tensors that hold nothing of the model: keys and values of layers that borrow, the head of tied embeddings. */
  readonly ignored: readonly string[];
}

/**
 * Finds a model's parameters. Reads no weights.
 * @throws InputError naming tensor and file where one is missing, of another shape or type, or not of such a model.
 */
export function importedWeights({ name, type, model, layout, tensors }: ForeignCheckpoint): ImportedWeights {
  const needed = foreignTensors(model, layout);
  const unshared = unsharedTensors(model, layout);
  const whole = `${modelName(model)} of type ${type}`;
  const missing = [...needed.keys()].filter((tensor) => !tensors.has(tensor));
  if (missing.length > 0) throw new InputError(`${name}: ${whole} needs ${list(missing)}, which no file has`);

  const written = new Map<string, WrittenTensor>();
  for (const shape of needed.values()) {
    const found = tensors.get(shape.name) as ForeignTensor;
    for (const part of fitting(whole, found, shape, unshared.get(shape.name))) {
      written.set(part.parameter.name, writtenTensor(found, part));
    }
  }
  const others = [...tensors.keys()].filter((tensor) => !needed.has(tensor));
  const ignored = others.filter(
    (tensor) => unshared.has(tensor) || isTiedHead(tensor, model, layout.places.head?.tensor),
  );
  const unknown = others.filter((tensor) => !ignored.includes(tensor) && !layout.needless?.test(tensor));
  if (unknown.length > 0) {
    const { file } = tensors.get(unknown[0] as string) as ForeignTensor;
    throw new InputError(
      `${file}: has ${list(unknown)}, which a ${whole} has not; without it the model would compute something else`,
    );
  }
  const order = [...needed.values()].flatMap(({ parts }) => parts.map(({ parameter }) => parameter.name));
  return { tensors: order.map((parameter) => written.get(parameter) as WrittenTensor), ignored };
}

/** The parts of a tensor as it was found, which may hold rows of keys and values that a borrower does not need. */
function fitting(
  whole: string,
  { file, stored, shape }: ForeignTensor,
  needed: ForeignTensorShape,
  unshared: ForeignTensorShape | undefined,
): readonly TensorPart[] {
  const fail = (problem: string) => new InputError(`${file}: tensor ${quote(needed.name)}: ${problem}`);
  if (!weightTypes.includes(stored)) {
    throw fail(`${stored} is no type of weights that is read; read are ${weightTypes.join(", ")}`);
  }
  if (shape.join() === needed.shape.join()) return needed.parts;
  if (shape.join() !== unshared?.shape.join()) {
    throw fail(`must be [${needed.shape.join(", ")}] for ${whole}, found [${shape.join(", ")}]`);
  }
  const names = new Set(needed.parts.map(({ parameter }) => parameter.name));
  return unshared.parts.filter(({ parameter }) => names.has(parameter.name));
}

function isTiedHead(tensor: string, { tiedEmbeddings }: ModelConfig, head: string | undefined): boolean {
  return tiedEmbeddings && tensor === `${head}.weight`;
}

function writtenTensor(tensor: ForeignTensor, { parameter: { name, shape }, rows }: TensorPart): WrittenTensor {
  const { stored } = tensor;
  const rowBytes = bytesOf(stored, sizeOf(shape.slice(1)));
  return { name, stored, shape, bytes: () => pieces(tensor, shape[0] as number, rowBytes, rows) };
}

/** A parameter's bytes, in pieces of whole rows. Rows of a piece lie near each other in every layout's tensors. */
async function* pieces(
  tensor: ForeignTensor,
  height: number,
  rowBytes: number,
  rows: RowMap | undefined,
): AsyncGenerator<Uint8Array> {
  const step = Math.max(1, Math.floor(pieceBytes / Math.max(1, rowBytes)));
  for (let start = 0; start < height; start += step) {
    const count = Math.min(step, height - start);
    if (!rows) {
      yield await tensor.read(start, start + count);
      continue;
    }
    const places = Array.from({ length: count }, (_, i) => rows(start + i));
    const [first, last] = places.reduce(([low, high], at) => [Math.min(low, at), Math.max(high, at)], [
      Number.POSITIVE_INFINITY,
      0,
    ] as [number, number]);
    const read = await tensor.read(first, last + 1);
    const ordered = new Uint8Array(count * rowBytes);
    for (const [i, at] of places.entries()) {
      const from = (at - first) * rowBytes;
      ordered.set(read.subarray(from, from + rowBytes), i * rowBytes);
    }
    yield ordered;
  }
}

function list(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => `tensor ${quote(name)}`)
    .join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
