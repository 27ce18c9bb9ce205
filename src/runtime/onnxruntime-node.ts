// Programs by ONNX Runtime's CPU provider in Node: the only file that imports onnxruntime-node.

import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { toOnnx } from "../onnx/model.ts";
import type { Tensor, Tensors } from "../tensor/tensor.ts";
import type { Compile, Program } from "./program.ts";

/** Compiles a graph for the CPU. */
export const compile: Compile = async (graph, { threads, spin, bound = {} } = {}) => {
  const session = await InferenceSession.create(toOnnx(graph, bound), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    // 1.30's memory patterns make training steps 2–4 times slower without an arena and 1.5 times larger with one.
    enableMemPattern: false,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(spin === undefined ? {} : { extra: { session: { intra_op: { spin_duration_us: String(spin) } } } }),
  });
  return new OnnxProgram(session);
};

class OnnxProgram implements Program {
  readonly #session: InferenceSession;
  #seconds = 0;

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  async run(feeds: Tensors, into: Tensors = {}): Promise<Tensors> {
    const inputs: Record<string, OrtTensor> = {};
    for (const name of this.#session.inputNames) {
      const feed = feeds[name];
      if (!feed) throw new TypeError(`run: no tensor for input ${name}`);
      inputs[name] = toOrt(feed);
    }
    const outputs: Record<string, OrtTensor | null> = {};
    for (const name of this.#session.outputNames) {
      const place = into[name.slice(outputPrefix.length)];
      outputs[name] = place ? toOrt(place) : null;
    }
    const start = performance.now();
    const results = await this.#session.run(inputs, outputs);
    this.#seconds += (performance.now() - start) / 1000;
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name.slice(outputPrefix.length), fromOrt(result as OrtTensor)]),
    );
  }

  get seconds(): number {
    return this.#seconds;
  }

  [Symbol.dispose](): void {
    void this.#session.release();
  }
}

const outputPrefix = "out:";

// Tensors that are fed again and again, caches and tables, are wrapped once.
const wrapped = new WeakMap<Tensor, OrtTensor>();

function toOrt(tensor: Tensor): OrtTensor {
  let found = wrapped.get(tensor);
  if (!found) {
    found = new OrtTensor(tensor.dtype, tensor.data as never, tensor.shape);
    wrapped.set(tensor, found);
  }
  return found;
}

function fromOrt({ type, data, dims }: OrtTensor): Tensor {
  return { dtype: type, data, shape: dims } as unknown as Tensor;
}

/** The version of ONNX Runtime that runs programs. */
export const runtimeVersion: string = env.versions.node ?? env.versions.common;
