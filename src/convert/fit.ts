// Keys and values of several sources in one, fitted to what the sources' layers attend to on real text: the owner's
// projections, and what its readers' queries and output take over.

import type { ModelConfig } from "../model/config.ts";
import { biasName, parameterName } from "../model/sites.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import type { Moments } from "./calibration.ts";
import { fitKeys, type KeyUnit, keptOfKeys, ownKeys } from "./fit-keys.ts";
import { fitValues, keptOfValues, type ValueUnit } from "./fit-values.ts";
import { heads, type MergedHeads, matchedHeads, type Unit } from "./heads.ts";
import {
  at,
  cholesky,
  columnsOf,
  type Matrix,
  matrix,
  product,
  solve,
  squareRoot,
  transposed,
} from "./linear-algebra.ts";
import { ownersKeys } from "./pooled.ts";
import type { Merge } from "./target.ts";

/** What is added to the diagonal of XᵀX, as a part of its mean: little text must not decide what it does not show. */
const ridge = 1e-4;

/**
 * The parameters that the fit of a merge changes: the owner's keys and values, its readers' queries and output. Where heads
 * are normed (Qwen3, Hunyuan) keys stay the owner's, and heads in their order; values are fitted.
 */
export function fitted(
  from: ModelConfig,
  weights: Tensors,
  merge: Merge,
  kvHeadsMade: number,
  moments: Moments,
): Tensors {
  const units = unitsOf(from, weights, merge, moments);
  const isTurned = from.headNorms === undefined; // a norm over a head leaves queries nothing to take over
  const unit = ({ source, head }: Unit) => (units[source] as FitUnit[])[head] as FitUnit;
  const gain = (a: Unit, b: Unit) =>
    keptOfKeys([unit(a), unit(b)].map(keysOf)) + keptOfValues([unit(a), unit(b)].map(valuesOf));
  const matched = isTurned
    ? matchedHeads(merge, from.kvHeads, kvHeadsMade, gain)
    : heads(merge, from.kvHeads, kvHeadsMade);
  const made: Tensors = {};
  const [keys, values]: [Matrix[], Matrix[]] = [[], []];
  const folds = new Map<FitUnit, Fold>();
  for (const merged of matched) {
    const members = merged.map(unit);
    const fittedKeys = isTurned ? fitKeys(members.map(keysOf)) : ownKeys(members.map(keysOf));
    const fittedValues = fitValues(members.map(valuesOf));
    keys.push(fittedKeys.projection);
    values.push(fittedValues.projection);
    for (const [i, member] of members.entries()) {
      folds.set(member, {
        query: fittedKeys.queryFactors[i] as Float64Array,
        back: fittedValues.back[i] as Matrix,
      });
    }
  }
  if (isTurned) putProjection(made, from, parameterName("attn.k", merge.owner), keys);
  else Object.assign(made, ownersKeys(from, weights, merge, kvHeadsMade));
  putProjection(made, from, parameterName("attn.v", merge.owner), values);
  for (const [source, { readers }] of merge.sources.entries()) {
    const order = headOrder(matched, source, from);
    for (const layer of readers) {
      const foldOf = (head: number) => folds.get(unit({ source, head })) as Fold;
      for (const name of [parameterName("attn.q", layer), biasName(parameterName("attn.q", layer))]) {
        const tensor = weights[name];
        if (tensor) made[name] = foldedQueries(tensor, order, foldOf, from);
      }
      const output = parameterName("attn.o", layer);
      made[output] = foldedOutput(weights[output] as Tensor, order, foldOf, from);
    }
  }
  return made;
}

/** What a query head takes over of its keys, and its output of its values. */
interface Fold {
  readonly query: Float64Array;
  readonly back: Matrix;
}

/** A head of a source with all that the fits want of it. */
interface FitUnit {
  readonly keys: KeyUnit;
  readonly values: ValueUnit;
}

const keysOf = ({ keys }: FitUnit) => keys;
const valuesOf = ({ values }: FitUnit) => values;

/** Each source's heads. */
function unitsOf(config: ModelConfig, weights: Tensors, { owner, sources }: Merge, moments: Moments): FitUnit[][] {
  const { kvHeads, headDim, heads } = config;
  const lower = cholesky(ridged(moments.gram(owner)));
  const each = heads / kvHeads; // query heads of a KV head
  return sources.map((source) => {
    const cross = moments.cross(owner, source.owner);
    const solved = solve(lower, cross);
    const part = (of: Matrix, head: number, place: number) =>
      columnsOf(of, (place * kvHeads + head) * headDim, headDim);
    const queries = source.readers.map((layer) => moments.queries(layer));
    return Array.from({ length: kvHeads }, (_, head) => {
      const queryHeads = Array.from({ length: each }, (_, i) => head * each + i);
      const weightsOfPairs = new Float64Array(headDim / 2);
      for (const squares of queries) {
        for (const query of queryHeads) {
          for (let dim = 0; dim < headDim; dim++) {
            const pair = dim % (headDim / 2);
            weightsOfPairs[pair] = (weightsOfPairs[pair] as number) + (squares[query * headDim + dim] as number);
          }
        }
      }
      return {
        keys: { cross: part(cross, head, 0), solved: part(solved, head, 0), weights: weightsOfPairs },
        values: {
          cross: part(cross, head, 1),
          solved: part(solved, head, 1),
          root: squareRoot(outputGram(config, weights, source.readers, queryHeads)),
        },
      };
    });
  });
}

/** Σ WᵀW over the columns of output projections that some query heads have, `[D, D]`. */
function outputGram(
  { width, heads, headDim }: ModelConfig,
  weights: Tensors,
  layers: readonly number[],
  queryHeads: readonly number[],
): Matrix {
  const gram = matrix(headDim, headDim);
  for (const layer of layers) {
    const { data } = weights[parameterName("attn.o", layer)] as Tensor<"float32">;
    for (let row = 0; row < width; row++) {
      for (const head of queryHeads) {
        const from = row * heads * headDim + head * headDim;
        for (let i = 0; i < headDim; i++) {
          const x = data[from + i] as number;
          for (let j = 0; j < headDim; j++) {
            gram.data[i * headDim + j] = (gram.data[i * headDim + j] as number) + x * (data[from + j] as number);
          }
        }
      }
    }
  }
  return gram;
}

function ridged(gram: Matrix): Matrix {
  const data = gram.data.slice();
  let trace = 0;
  for (let i = 0; i < gram.rows; i++) trace += data[i * gram.rows + i] as number;
  const added = (ridge * trace) / gram.rows;
  for (let i = 0; i < gram.rows; i++) data[i * gram.rows + i] = (data[i * gram.rows + i] as number) + added;
  return { ...gram, data };
}

/** Puts heads' projections `[C, D]` as the rows of a matrix `[G·D, C]`; a last row of biases becomes the bias. */
function putProjection(made: Tensors, { width, biases }: ModelConfig, name: string, heads: readonly Matrix[]): void {
  const rows = heads.flatMap((head) => {
    const turned = transposed(head);
    return Array.from({ length: turned.rows }, (_, row) =>
      turned.data.subarray(row * head.rows, (row + 1) * head.rows),
    );
  });
  const data = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) data.set(row.subarray(0, width), i * width);
  made[name] = { dtype: "float32", shape: [rows.length, width], data };
  if (!biases.qkv) return;
  const bias = Float32Array.from(rows, (row) => row[width] as number);
  made[biasName(name)] = { dtype: "float32", shape: [rows.length], data: bias };
}

/** The query heads of a source's readers in the order of the merged heads: which head comes first, and which KV head it reads. */
function headOrder(
  matched: MergedHeads,
  source: number,
  { heads, kvHeads }: ModelConfig,
): { query: number; kv: number }[] {
  const each = heads / kvHeads;
  return matched.flatMap((merged) =>
    merged
      .filter((unit) => unit.source === source)
      .flatMap(({ head }) => Array.from({ length: each }, (_, i) => ({ query: head * each + i, kv: head }))),
  );
}

type Order = readonly { readonly query: number; readonly kv: number }[];

/** Queries' rows (or biases) in another order, each pair turned and scaled by its factor. */
function foldedQueries(
  { dtype, shape, data }: Tensor,
  order: Order,
  foldOf: (head: number) => Fold,
  { headDim }: ModelConfig,
): Tensor {
  const columns = shape[1] ?? 1;
  const half = headDim / 2;
  const source = data as Float32Array;
  const result = new Float32Array(source.length);
  for (const [place, { query, kv }] of order.entries()) {
    const factors = foldOf(kv).query;
    for (let pair = 0; pair < half; pair++) {
      const [re, im] = [factors[pair] as number, factors[pair + half] as number];
      for (let column = 0; column < columns; column++) {
        const element = (head: number, dim: number) => (head * headDim + dim) * columns + column;
        const [a, b] = [source[element(query, pair)] as number, source[element(query, pair + half)] as number];
        result[element(place, pair)] = re * a - im * b;
        result[element(place, pair + half)] = re * b + im * a;
      }
    }
  }
  return { dtype, shape, data: result } as Tensor;
}

/** Output's columns in another order, each head's times Bᵀ. */
function foldedOutput(
  { dtype, shape, data }: Tensor,
  order: Order,
  foldOf: (head: number) => Fold,
  { headDim }: ModelConfig,
): Tensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float32Array(data.length);
  for (const [place, { query, kv }] of order.entries()) {
    const head = matrix(
      rows,
      headDim,
      (row, dim) => (data as Float32Array)[row * columns + query * headDim + dim] as number,
    );
    const turned = product(head, transposed(foldOf(kv).back));
    for (let row = 0; row < rows; row++) {
      for (let dim = 0; dim < headDim; dim++) {
        result[row * columns + place * headDim + dim] = at(turned, row, dim);
      }
    }
  }
  return { dtype, shape, data: result } as Tensor;
}
