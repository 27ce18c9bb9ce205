// The KvMemory of devices whose memory is JavaScript's: the paged graph reads the pools in place. This file tunes the
// layout of a step's blocks for the CPU.

import type { DecoderConfig } from "../model/config.ts";
import type { KvDtype } from "../model/formats.ts";
import type { Rounding } from "../model/integer-rows.ts";
import { rotaryTables } from "../model/rotary.ts";
import { type Buffer, type Buffers, type Device, putAll, readAll } from "../runtime/device.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import { HostPools } from "./host-pools.ts";
import type { KvMemory, ServingStore, Span } from "./kv-memory.ts";
import { pagedStore } from "./paged-store.ts";
import { layPieces } from "./piece-layout.ts";
import { pieceStore } from "./piece-store.ts";
import { layRuns } from "./run-layout.ts";
import { StepLayout } from "./step-layout.ts";

/** What a block that a party reads costs beside its products, in rows of queries: it is gathered, then packed. */
const readingCostInQueryRows = 32;

/** The least rows of the rotary tables; they grow by doubling. */
const leastTablePositions = 1024;

/** How a paged memory is made. */
export interface PagedOptions {
  readonly dtype: KvDtype;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** How finely 8-bit attention rounds queries and weights. */
  readonly rounding?: Rounding;
}

/** The inputs that change with every step, also where its tokens read the same blocks as the last one's. */
type Turn = "positions" | "rope.cos" | "rope.sin";

/** A memory of `blocks` blocks. */
export class PagedMemory implements KvMemory {
  readonly #device: Device;
  readonly #config: DecoderConfig;
  readonly #options: Required<PagedOptions>;
  readonly #pools: HostPools;
  readonly #layout: StepLayout<Tensors>;
  #read: { layout: object; pools: object; buffers: Buffers } | undefined; // what the last step was fed, but turns
  #tables: { positions: number; cos: Tensor; sin: Tensor } | undefined;

  /** Allocates it. `rounding` is as fine as the device's integer sums allow, unless given. */
  constructor(
    device: Device,
    config: DecoderConfig,
    { blocks, ...options }: PagedOptions & { readonly blocks: number },
  ) {
    const rounding = device.traits.exactIntegerSums ? "full" : "reduced";
    this.#device = device;
    this.#config = config;
    this.#options = { rounding, ...options };
    this.#pools = new HostPools(config, { blocks, ...options });
    const repeat = config.heads / config.kvHeads;
    const cost = { repeat, readingCost: readingCostInQueryRows };
    const layOut = options.dtype === "float32" ? layRuns : layPieces;
    this.#layout = new StepLayout(this.#pools, (readings, pools) => layOut(readings, pools, cost));
  }

  get blocks(): number {
    return this.#pools.blocks;
  }

  get blockSize(): number {
    return this.#options.blockSize;
  }

  get dtype(): KvDtype {
    return this.#options.dtype;
  }

  get bytes(): number {
    return this.#pools.bytes;
  }

  store(): ServingStore {
    const { dtype, blockSize } = this.#options;
    return dtype === "float32" ? pagedStore(this.#config, blockSize) : pieceStore(this.#config, this.#options);
  }

  inputs(spans: readonly Span[]): Buffers {
    const layout = this.#layout.inputs(spans); // it moves blocks, so before the pools are read
    const pools = this.#pools.feeds;
    if (this.#read?.layout !== layout || this.#read.pools !== pools) {
      const step = { ...layout, "own.mask": pools.mask };
      this.#read = { layout, pools, buffers: putAll(this.#device, { ...step, ...pools.arrays }) };
    }
    return { ...this.#read.buffers, ...putAll(this.#device, this.#turns(spans)) };
  }

  async take(outputs: Buffers, spans: readonly Span[]): Promise<void> {
    const rows = this.#pools.rowNames.map((name) => [name, outputs[name] as Buffer]);
    this.#pools.write(await readAll(Object.fromEntries(rows)), spans);
  }

  resize(blocks: number, renumbered: ReadonlyMap<number, number>): void {
    this.#read = undefined; // it would hold the old pools
    this.#layout.forget();
    this.#pools.resize(blocks, renumbered);
  }

  [Symbol.dispose](): void {} // arrays go when nobody holds them

  /** Positions and the tables by which queries and keys are turned to them. */
  #turns(spans: readonly Span[]): Record<Turn, Tensor> {
    const count = spans.reduce((sum, span) => sum + span.count, 0);
    const positions = new BigInt64Array(count);
    let end = 0;
    for (const { row, start, count } of spans) {
      for (let t = 0; t < count; t++) positions[row + t] = BigInt(start + t);
      end = Math.max(end, start + count);
    }
    const known = this.#tables?.positions ?? 0;
    if (!this.#tables || end > known) {
      const grown = Math.max(end, 2 * known, leastTablePositions);
      this.#tables = { positions: grown, ...rotaryTables(this.#config, grown) };
    }
    const { cos, sin } = this.#tables;
    return { positions: { dtype: "int64", shape: [1, count], data: positions }, "rope.cos": cos, "rope.sin": sin };
  }
}
