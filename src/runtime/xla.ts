// XLA's devices, CUDA cards and TPUs for two, by a vendor's PJRT plugin: graphs become StableHLO, which XLA compiles for
// the device; tensors stay in its memory until they are read.

import { InputError } from "../error.ts";
import { expand } from "../graph/ops.ts";
import { replacedInputs } from "../graph/replaced.ts";
import { constant, type Graph, trace } from "../graph/trace.ts";
import { type StableHloModule, toStableHlo } from "../stablehlo/module.ts";
import type { DType } from "../tensor/dtype.ts";
import { type Tensor, zeros } from "../tensor/tensor.ts";
import type { Buffer, Buffers, CompileOptions, Device, Program, Traits } from "./device.ts";
import { freeHostBytes } from "./host-memory.ts";
import { type DeviceMemory, PjrtBuffer, PjrtClient, type PjrtDevice, type PjrtExecutable } from "./pjrt/client.ts";
import { ExecutableCache } from "./pjrt/executable-cache.ts";
import type { Plugin } from "./pjrt/plugins.ts";

/** A plugin's device of number `card`. @throws InputError where the plugin does not start or has no such device. */
export async function openXla(plugin: Plugin, card: number): Promise<Device> {
  const name = card === 0 ? plugin.name : `${plugin.name}:${card}`;
  const alone = plugin.name === "cuda";
  if (alone) showOneCard(name, card);
  const client = await PjrtClient.open(plugin.path);
  const found = client.devices[alone ? 0 : card];
  if (found) return new XlaDevice(client, found, name);
  const count = client.devices.length;
  client[Symbol.dispose]();
  throw new InputError(
    `device: ${plugin.name} has ${count} ${count === 1 ? "card" : "cards"}; there is none of number ${card}`,
  );
}

/** The card that this process uses, and the cards that it was allowed. */
let shown: { readonly name: string; readonly allowed: readonly string[] } | undefined;

/**
 * Lets CUDA see one card only, for XLA takes most of the memory of every card that it sees. The number counts the cards
 * that the process was started with.
 * @throws InputError where the process uses another card already.
 */
function showOneCard(name: string, card: number): void {
  if (shown && shown.name !== name) {
    throw new InputError(`device: this process computes on ${shown.name}; use another process for ${name}`);
  }
  const allowed = shown?.allowed ?? process.env.CUDA_VISIBLE_DEVICES?.split(",") ?? [];
  shown = { name, allowed };
  process.env.CUDA_VISIBLE_DEVICES = allowed[card] ?? String(card);
}

class XlaDevice implements Device {
  readonly name: string;
  readonly kind: string;
  readonly runtime: string;
  readonly traits: Traits;
  readonly client: PjrtClient;
  readonly card: PjrtDevice;
  readonly #cache: ExecutableCache;
  readonly #place: number; // among the devices that the client sees: what compilation counts by, ids do not suit
  readonly #clearing = new Map<string, Program>();

  constructor(client: PjrtClient, card: PjrtDevice, name: string) {
    this.client = client;
    this.card = card;
    this.#place = client.devices.indexOf(card);
    this.name = name;
    this.kind = card.kind;
    this.runtime = `xla-${client.platform} pjrt-${client.api.version}`;
    this.#cache = new ExecutableCache(
      `${client.platform} ${client.platformVersion} ${client.api.version} ${card.kind}`,
    );
    this.traits = {
      ...{ memory: "device", shapes: "fixed", exactIntegerSums: true, runsAhead: 1 },
      precision: client.platform === "cpu" ? "float32" : "bfloat16",
      ...{ attention: "fused", attentionBlock: 256, logitElements: 1 << 28, scoredTokens: 1 << 15 },
    };
  }

  freeBytes(): number {
    const { limit, used = 0 } = this.client.memory(this.card);
    return limit === undefined ? freeHostBytes() : limit - used;
  }

  memory(): DeviceMemory {
    return this.client.memory(this.card);
  }

  put(tensor: Tensor): XlaBuffer {
    return new XlaBuffer(this.client.upload(tensor, this.card));
  }

  async clear(buffers: Buffers): Promise<Buffers> {
    const key = Object.entries(buffers)
      .map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape}]`)
      .join();
    let program = this.#clearing.get(key);
    if (!program) {
      program = await this.compile(zerosLike(buffers));
      this.#clearing.set(key, program);
    }
    for (const buffer of Object.values(buffers)) buffer[Symbol.dispose]();
    return program.run({});
  }

  async compile(graph: Graph, { constants = {} }: CompileOptions = {}): Promise<XlaProgram> {
    const attention = this.client.platform === "cuda" ? "cudnn" : "blocks";
    const module = toStableHlo(graph, { precision: "highest", attention, cudnnHead: 256 });
    const executable = await this.#cache.executable(this.client, module.text, { devices: [this.#place] });
    const packed = Object.fromEntries(Object.entries(constants).map(([name, tensor]) => [name, this.put(tensor)]));
    return new XlaProgram(this, { graph, module, executable, constants: packed });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#clearing.values()) program[Symbol.dispose]();
    this.client[Symbol.dispose]();
  }
}

function zerosLike(buffers: Buffers): Graph {
  return trace(() =>
    Object.fromEntries(
      Object.entries(buffers).map(([name, { dtype, shape }]) => {
        const zero = constant(
          zeros(
            dtype,
            shape.map(() => 1),
          ),
        );
        return [name, expand(zero, shape)];
      }),
    ),
  );
}

class XlaBuffer implements Buffer {
  readonly pjrt: PjrtBuffer;

  constructor(pjrt: PjrtBuffer) {
    this.pjrt = pjrt;
  }

  get dtype(): DType {
    return this.pjrt.dtype;
  }

  get shape(): readonly number[] {
    return this.pjrt.shape;
  }

  read(): Promise<Tensor> {
    return this.pjrt.download();
  }

  [Symbol.dispose](): void {
    this.pjrt[Symbol.dispose]();
  }
}

interface Compiled {
  readonly graph: Graph;
  readonly module: StableHloModule;
  readonly executable: PjrtExecutable;
  readonly constants: Readonly<Record<string, XlaBuffer>>;
}

class XlaProgram implements Program {
  readonly #device: XlaDevice;
  readonly #compiled: Compiled;
  readonly #replaced: ReadonlySet<string>;
  #seconds = 0;

  constructor(device: XlaDevice, compiled: Compiled) {
    this.#device = device;
    this.#compiled = compiled;
    this.#replaced = replacedInputs(compiled.graph);
  }

  async run(inputs: Buffers): Promise<Buffers> {
    const { graph, module, executable, constants } = this.#compiled;
    const read = module.inputs.map((name) => {
      const buffer = constants[name] ?? (inputs[name] as XlaBuffer | undefined);
      if (!buffer) throw new TypeError(`run: no tensor for input ${name}`);
      return buffer.pjrt;
    });
    const start = performance.now();
    const [made] = executable.execute([read]) as [bigint[]];
    this.#seconds += (performance.now() - start) / 1000;
    for (const name of this.#replaced) inputs[name]?.[Symbol.dispose]();
    return Object.fromEntries(
      module.outputs.map((name, i) => {
        const { dtype, shape } = graph.outputs[name] as { dtype: DType; shape: readonly number[] };
        return [name, new XlaBuffer(new PjrtBuffer(this.#device.client, made[i] as bigint, dtype, shape))];
      }),
    );
  }

  get seconds(): number {
    return this.#seconds;
  }

  [Symbol.dispose](): void {
    this.#compiled.executable[Symbol.dispose]();
    for (const buffer of Object.values(this.#compiled.constants)) buffer[Symbol.dispose]();
  }
}
