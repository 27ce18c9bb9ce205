// The slow, obvious twin of any KvMemory: an array for each block, no pools and no parts. Each token is fed its whole past,
// row by row, in float32; what is kept in 8 bits is rounded and restored before anybody attends to it.

import { add, concat, gather, matmul, reshape, rotary, softmax, transpose } from "../../src/graph/ops.ts";
import { input } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/value.ts";
import type { KvMemory, ServingStore, Span } from "../../src/kv/kv-memory.ts";
import { quantizeRows } from "../../src/kv/kv-quantization.ts";
import type { DecoderConfig } from "../../src/model/config.ts";
import type { KvDtype } from "../../src/model/formats.ts";
import { rotaryTables } from "../../src/model/rotary.ts";
import { owners, sourcesOf } from "../../src/model/sharing.ts";
import { type Buffer, type Buffers, type Device, putAll } from "../../src/runtime/device.ts";
import type { Tensors } from "../../src/tensor/tensor.ts";

/** A block: `[blockSize, G·D]` of each owner's keys and values, by name. */
type Block = Readonly<Record<string, Float32Array>>;

export class PlainMemory implements KvMemory {
  readonly blockSize: number;
  readonly dtype: KvDtype;
  readonly #device: Device;
  readonly #config: DecoderConfig;
  readonly #names: readonly string[];
  #blocks: Block[];

  constructor(
    device: Device,
    config: DecoderConfig,
    { blocks, blockSize, dtype }: { blocks: number; blockSize: number; dtype: KvDtype },
  ) {
    this.#device = device;
    this.#config = config;
    this.blockSize = blockSize;
    this.dtype = dtype;
    const sources = sourcesOf(config.sharing);
    this.#names = (["keys", "values"] as const).flatMap((side) =>
      owners(sources[side]).map((owner) => `${side}.${owner}`),
    );
    this.#blocks = Array.from({ length: blocks }, () => this.#empty());
  }

  get blocks(): number {
    return this.#blocks.length;
  }

  get bytes(): number {
    return this.#blocks.flatMap((block) => Object.values(block)).reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  store(): ServingStore {
    const { kvHeads, headDim, heads, context } = this.#config;
    const width = kvHeads * headDim;
    const positions = input("positions", "int64", [1, "N"]);
    const [cos, sin] = ["cos", "sin"].map((name) => input(name, "float32", [context, headDim / 2])) as [Value, Value];
    const earlier = input("earlier", "int32", ["N", "F"]); // rows of the step
    const mask = input("mask", "float32", ["N", 1, 1, "S"]); // of the past, then of these
    const outputs: Record<string, Value> = {};
    const kept = (x: Value) => (this.dtype === "float32" ? x : quantizeRows(x, kvHeads, headDim).restored);
    const seen = (name: string): Value => {
      const past = input(`past.${name}`, "float32", ["N", "P", width]);
      const rows = concat([past, gather(outputs[name] as Value, earlier)], 1, "S");
      return transpose(reshape(rows, ["N", "S", kvHeads, headDim]), [0, 2, 1, 3]); // [N, G, S, D]
    };
    return {
      outputs,
      rotate: (x) => {
        const turned = rotary(reshape(x, [1, "N", x.shape.at(-1) as number]), positions, cos, sin);
        return reshape(turned, x.shape);
      },
      writeKeys: (owner, keys) => {
        outputs[`keys.${owner}`] = kept(keys);
      },
      writeValues: (owner, values) => {
        outputs[`values.${owner}`] = kept(values);
      },
      attend: (source, flat) => {
        const queries = reshape(flat, ["N", kvHeads, heads / kvHeads, headDim]);
        const scores = matmul(queries, seen(`keys.${source.keys}`), { transB: true, alpha: 1 / Math.sqrt(headDim) });
        return reshape(matmul(softmax(add(scores, mask)), seen(`values.${source.values}`)), flat.shape);
      },
    };
  }

  inputs(spans: readonly Span[]): Buffers {
    const rows = spans.flatMap(({ blocks, start, row, count }) =>
      Array.from({ length: count }, (_, t) => ({ blocks, start, first: row, t })),
    );
    const [past, inStep] = [
      Math.max(1, ...spans.map(({ start }) => start)),
      Math.max(...spans.map(({ count }) => count)),
    ];
    const { context, kvHeads, headDim } = this.#config;
    const width = kvHeads * headDim;
    const earlier = new Int32Array(rows.length * inStep);
    const mask = new Float32Array(rows.length * (past + inStep)).fill(Number.NEGATIVE_INFINITY);
    const pasts = this.#names.map((name) => [name, new Float32Array(rows.length * past * width)] as const);
    for (const [i, { blocks, start, first, t }] of rows.entries()) {
      for (let j = 0; j <= t; j++) earlier[i * inStep + j] = first + j;
      mask.fill(0, i * (past + inStep), i * (past + inStep) + start);
      mask.fill(0, i * (past + inStep) + past, i * (past + inStep) + past + t + 1);
      for (const [name, data] of pasts) {
        for (let at = 0; at < start; at++) data.set(this.#row(name, blocks, at), (i * past + at) * width);
      }
    }
    const { cos, sin } = rotaryTables(this.#config, context);
    const tensors: Tensors = {
      positions: {
        ...{ dtype: "int64", shape: [1, rows.length] },
        data: BigInt64Array.from(rows, ({ start, t }) => BigInt(start + t)),
      },
      ...{ cos, sin },
      earlier: { dtype: "int32", shape: [rows.length, inStep], data: earlier },
      mask: { dtype: "float32", shape: [rows.length, 1, 1, past + inStep], data: mask },
    };
    for (const [name, data] of pasts) {
      tensors[`past.${name}`] = { dtype: "float32", shape: [rows.length, past, width], data };
    }
    return putAll(this.#device, tensors);
  }

  async take(outputs: Buffers, spans: readonly Span[]): Promise<void> {
    for (const name of this.#names) {
      const { data, shape } = await (outputs[name] as Buffer).read();
      const width = shape[1] as number;
      for (const { blocks, start, row, count } of spans) {
        for (let t = 0; t < count; t++) {
          const rows = data as Float32Array;
          this.#row(name, blocks, start + t).set(rows.subarray((row + t) * width, (row + t + 1) * width));
        }
      }
    }
  }

  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void {
    const before = this.#blocks;
    this.#blocks = Array.from({ length: blocks }, () => this.#empty());
    for (const [from, to] of renumbered) this.#blocks[to] = before[from] as Block;
  }

  [Symbol.dispose](): void {}

  #row(name: string, blocks: readonly number[], position: number): Float32Array {
    const { kvHeads, headDim } = this.#config;
    const block = this.#blocks[blocks[Math.floor(position / this.blockSize)] as number] as Block;
    const start = (position % this.blockSize) * kvHeads * headDim;
    return (block[name] as Float32Array).subarray(start, start + kvHeads * headDim);
  }

  #empty(): Block {
    const { kvHeads, headDim } = this.#config;
    const size = this.blockSize * kvHeads * headDim;
    return Object.fromEntries(this.#names.map((name) => [name, new Float32Array(size)]));
  }
}
