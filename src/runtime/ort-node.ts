// The CPU by ONNX Runtime in Node: the only file that imports onnxruntime-node. Buffers are JavaScript's own memory, which
// graphs read and write in place.

import { cpus } from "node:os";
import { env, InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { integerMatmul } from "../graph/ops.ts";
import { replacedInputs } from "../graph/replaced.ts";
import { constant, type Graph, input, trace } from "../graph/trace.ts";
import { toOnnx } from "../onnx/model.ts";
import { alone } from "../tensor/layout.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Buffers, CompileOptions, Device, Program, Traits } from "./device.ts";
import { cleared, HostBuffer } from "./host-buffer.ts";
import { freeHostBytes } from "./host-memory.ts";

/** How to use the CPU. */
export interface CpuOptions {
  /** Threads of each operation; all cores if not given. */
  readonly threads?: number;
}

/** The CPU as a device. */
export async function openCpu({ threads }: CpuOptions = {}): Promise<Device> {
  exactIntegerSums ??= probeIntegerSums();
  return new CpuDevice(threads, await exactIntegerSums);
}

/**
 * How long a thread spins while it waits for the next operation, where the program shares its cores: long enough for the
 * next operation of a step, short enough to leave idle cores alone. Alone, ONNX Runtime's own long time is faster.
 */
const sharedSpinMicroseconds = 50;

class CpuDevice implements Device {
  readonly name: string;
  readonly kind = cpus()[0]?.model.trim() ?? "unknown";
  readonly runtime = `onnxruntime-node ${env.versions.node ?? env.versions.common}`;
  readonly traits: Traits;
  readonly #threads: number | undefined;

  constructor(threads: number | undefined, exactIntegerSums: boolean) {
    this.name = threads === undefined ? "cpu" : `cpu:${threads}`;
    this.#threads = threads;
    this.traits = {
      ...{ memory: "host", shapes: "any", exactIntegerSums, repeatable: true, precision: "float32" },
      ...{ attention: "blocks", attentionBlock: 128, runsAhead: 0, logitElements: 4 << 20, scoredTokens: 2048 },
      mesh: alone,
    };
  }

  freeBytes(): number {
    return freeHostBytes();
  }

  put(tensor: Tensor): CpuBuffer {
    return bufferOf(tensor);
  }

  async clear(buffers: Buffers): Promise<Buffers> {
    return cleared(buffers);
  }

  async compile(graph: Graph, options?: CompileOptions): Promise<Program> {
    return compileForCpu(graph, this.#threads, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function compileForCpu(
  graph: Graph,
  threads: number | undefined,
  { constants = {}, shared = false }: CompileOptions = {},
): Promise<CpuProgram> {
  const { bytes, external } = toOnnx(graph, constants);
  const session = await InferenceSession.create(bytes, {
    ...(external.length > 0 ? { externalData: external } : {}),
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    // 1.30's memory patterns make training steps 2–4 times slower without an arena and 1.5 times larger with one.
    enableMemPattern: false,
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(shared ? { extra: { session: { intra_op: { spin_duration_us: String(sharedSpinMicroseconds) } } } } : {}),
  });
  return new CpuProgram(session, replacedInputs(graph));
}

/** A tensor as ONNX Runtime takes it. */
class CpuBuffer extends HostBuffer {
  readonly ort: OrtTensor;

  constructor(tensor: Tensor, ort: OrtTensor) {
    super(tensor);
    this.ort = ort;
  }
}

// Tensors that are fed again and again, caches and tables, are wrapped once.
const wrapped = new WeakMap<Tensor, CpuBuffer>();

function bufferOf(tensor: Tensor): CpuBuffer {
  let found = wrapped.get(tensor);
  if (!found) {
    found = new CpuBuffer(tensor, new OrtTensor(tensor.dtype as "float32", tensor.data as never, tensor.shape));
    wrapped.set(tensor, found);
  }
  return found;
}

/** What `toOnnx` puts before the names of outputs. */
const outputPrefix = "out:";

class CpuProgram implements Program {
  readonly #session: InferenceSession;
  readonly #replaced: ReadonlySet<string>;
  #seconds = 0;

  constructor(session: InferenceSession, replaced: ReadonlySet<string>) {
    this.#session = session;
    this.#replaced = replaced;
  }

  async run(inputs: Buffers): Promise<Buffers> {
    const feeds: Record<string, OrtTensor> = {};
    for (const name of this.#session.inputNames) {
      const buffer = inputs[name] as CpuBuffer | undefined;
      if (!buffer) throw new TypeError(`run: no tensor for input ${name}`);
      feeds[name] = buffer.ort;
    }
    const fetches: Record<string, OrtTensor | null> = {};
    for (const name of this.#session.outputNames) {
      const own = name.slice(outputPrefix.length);
      fetches[name] = this.#replaced.has(own) ? ((inputs[own] as CpuBuffer | undefined)?.ort ?? null) : null;
    }
    const start = performance.now();
    const results = await this.#session.run(feeds, fetches);
    this.#seconds += (performance.now() - start) / 1000;
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => {
        const own = name.slice(outputPrefix.length);
        const place = fetches[name] && inputs[own];
        return [own, place ?? new CpuBuffer(tensorOf(result as OrtTensor), result as OrtTensor)];
      }),
    );
  }

  get seconds(): number {
    return this.#seconds;
  }

  [Symbol.dispose](): void {
    void this.#session.release();
  }
}

function tensorOf({ type, data, dims }: OrtTensor): Tensor {
  return { dtype: type, data, shape: dims } as unknown as Tensor;
}

let exactIntegerSums: Promise<boolean> | undefined;

/**
 * Whether products of the largest uint8 and int8 numbers add up exactly. On processors without VNNI, ONNX Runtime 1.30
 * adds neighbouring products in 16 bits, which saturate.
 */
async function probeIntegerSums(): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 32];
  const graph = trace(() => {
    const zero = constant({ dtype: "uint8", shape: [], data: Uint8Array.of(0) });
    return { product: integerMatmul(input("a", "uint8", [rows, inner]), input("b", "int8", [inner, columns]), zero) };
  });
  using program = await compileForCpu(graph, 1);
  const { product } = await program.run({
    a: bufferOf({ dtype: "uint8", shape: [rows, inner], data: new Uint8Array(rows * inner).fill(255) }),
    b: bufferOf({ dtype: "int8", shape: [inner, columns], data: new Int8Array(inner * columns).fill(127) }),
  });
  const sums = (product as CpuBuffer).tensor.data as Int32Array;
  return sums.every((sum) => sum === inner * 255 * 127);
}
