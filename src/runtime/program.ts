// What it is to run a graph: compile once, feed tensors by name, get tensors by name. Knows no runtime.

import type { Graph } from "../graph/trace.ts";
import type { Tensors } from "../tensor/tensor.ts";

/** How to compile a graph. */
export interface CompileOptions {
  /** Threads for each operation; all cores by default. */
  threads?: number;
  /**
   * Microseconds that threads spin while they wait for the next operation; long if not given. Long is right for one
   * program on idle cores. It is several times slower as soon as anything else wants them: another program, for one.
   */
  spin?: number;
  /** Inputs that are constant from now on; they are packed once, which makes matrix products with them faster. */
  bound?: Tensors;
}

/** A compiled graph. */
export interface Program extends Disposable {
  /**
   * Runs the graph. `feeds` are read in place and must hold every input that is not bound. Where `into` holds an
   * output's name, that tensor is also written in place and may be one of the feeds (see `Step`).
   */
  run(feeds: Tensors, into?: Tensors): Promise<Tensors>;
  /** Seconds spent in the runtime so far; the rest of `run`'s time is ours. */
  readonly seconds: number;
}

/** Turns graphs into programs. */
export type Compile = (graph: Graph, options?: CompileOptions) => Promise<Program>;
