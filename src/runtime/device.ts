// Where graphs run and tensors live. Knows no runtime: `open-device.ts` chooses one, and a device is handed on from there.

import type { Graph } from "../graph/trace.ts";
import type { Precision } from "../model/precision.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Layout, Layouts, Mesh } from "../tensor/layout.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";

/** A tensor in a device's memory. Disposed, or given up to an output, it must not be used again. */
export interface Buffer extends Disposable {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Its contents. Where memory is the host's, the tensor that lies there, not a copy. */
  read(): Promise<Tensor>;
}

/** Buffers by name: what a program takes and gives. */
export type Buffers = Readonly<Record<string, Buffer>>;

/** Reads buffers by name. */
export async function readAll(buffers: Buffers): Promise<Tensors> {
  const read = Object.entries(buffers).map(async ([name, buffer]) => [name, await buffer.read()] as const);
  return Object.fromEntries(await Promise.all(read));
}

/** Puts tensors by name, as `layouts` say. */
export function putAll(device: Device, tensors: Tensors, layouts: Layouts = {}): Buffers {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, device.put(tensor, layouts[name])]));
}

/** A compiled graph. */
export interface Program extends Disposable {
  /**
   * Runs the graph on every input that is no constant. An output with the name and type of an input takes its place:
   * that input's buffer is given up, its memory becomes the output's (see `train/step.ts` for what a graph must keep to).
   */
  run(inputs: Buffers): Promise<Buffers>;
  /** A hash of what the runtime made of the graph, where it says: programs that differ may round otherwise. */
  readonly digest?: string | undefined;
  /** Bytes that a run takes on each processor, inputs and outputs among them, where the runtime says. */
  readonly bytes?: number | undefined;
  /** Seconds spent in the runtime so far; the rest of `run`'s time is ours. */
  readonly seconds: number;
}

/** What is fast or possible on a device, for those who build graphs for it. */
export interface Traits {
  /** "host": buffers are memory that JavaScript reads and writes in place. "device": memory of its own. */
  readonly memory: "host" | "device";
  /** "fixed": every dimension must be a number when a graph is compiled. */
  readonly shapes: "any" | "fixed";
  /** Whether products of 8-bit integers add up exactly, however large their sums. */
  readonly exactIntegerSums: boolean;
  /** Whether a program gives the same bits each time that it runs on the same inputs. */
  readonly repeatable: boolean;
  /** "fused": attention is one operation, which the device has a kernel for. "blocks": it is written out. */
  readonly attention: "blocks" | "fused";
  /** Tokens that are scored at once when a model is evaluated. */
  readonly scoredTokens: number;
  /** Tokens of a block of queries in causal attention; each block attends to the keys before its end. */
  readonly attentionBlock: number;
  /** What matrices are best multiplied in where nobody says. */
  readonly precision: Precision;
  /** Programs that may wait for the device before the result of an earlier one is read. */
  readonly runsAhead: number;
  /** The most logits that a graph computes at once; more are computed and forgotten in pieces. */
  readonly logitElements: number;
  /** The processors that it is, where they are several. */
  readonly mesh: Mesh;
}

/** How to compile. */
export interface CompileOptions {
  /** Inputs that never change; a runtime may pack them once, which makes products with them faster. */
  readonly constants?: Tensors;
  /** Whether the program shares its cores with other work, so that threads must not spin while they wait. */
  readonly shared?: boolean;
  /** How inputs and outputs lie on several processors, by name; inputs must be put so. */
  readonly layouts?: Layouts;
}

/** A processor, or several as one, that runs graphs. */
export interface Device extends AsyncDisposable {
  /** What it is, as in `cpu` or `cuda:0`. */
  readonly name: string;
  /** The processor, each of them where they are several, as its maker calls it, where the runtime says. */
  readonly kind: string;
  /** The runtime and its version, as in `onnxruntime-node 1.30.0`; results of different ones differ in rounding. */
  readonly runtime: string;
  readonly traits: Traits;
  /** Bytes that tensors may still take. */
  freeBytes(): number;
  /** Bytes of its memory, where it has its own and counts: in use, the most that were, and in all. */
  memory?(): { readonly used?: number; readonly peak?: number; readonly limit?: number };
  /** A tensor for programs to read, on several processors as `layout` says. Where memory is the host's it is in place. */
  put(tensor: Tensor, layout?: Layout): Buffer;
  /** The same buffers with every element 0; the given ones are given up. */
  clear(buffers: Buffers): Promise<Buffers>;
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
}
