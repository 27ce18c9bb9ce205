// XLA's devices, CUDA cards and TPUs for two, by a vendor's PJRT plugin: graphs become StableHLO, which XLA compiles for
// the device; tensors stay in its memory until they are read.

import { InputError } from "../error.ts";
import { expand } from "../graph/ops.ts";
import { constant, type Graph, trace } from "../graph/trace.ts";
import { toStableHlo } from "../stablehlo/module.ts";
import { type Layout, type Layouts, type MeshAxis, partOf, processors } from "../tensor/layout.ts";
import { type Tensor, zeros } from "../tensor/tensor.ts";
import { type Buffers, type CompileOptions, type Device, type Program, putAll, type Traits } from "./device.ts";
import { freeHostBytes } from "./host-memory.ts";
import { type DeviceMemory, PjrtClient, type PjrtDevice } from "./pjrt/client.ts";
import { ExecutableCache } from "./pjrt/executable-cache.ts";
import { clientOptions, type Plugin } from "./pjrt/plugins.ts";
import { told, XlaBuffer, XlaProgram } from "./xla-program.ts";

/**
 * A plugin's device of the given numbers, several of them as one; all that there are if none is given.
 * @throws InputError where the plugin does not start or has no such device.
 */
export async function openXla(plugin: Plugin, cards: readonly number[]): Promise<Device> {
  const name = cards.join() === "0" ? plugin.name : `${plugin.name}:${cards.join() || "all"}`;
  const shows = plugin.name === "cuda" && cards.length > 0;
  if (shows) showCards(name, cards);
  const client = await PjrtClient.open(plugin.path, clientOptions(plugin));
  const numbers = cards.length === 0 || shows ? client.devices.map((_, number) => number) : cards;
  const found = numbers.map((number) => client.devices[number]);
  if (found.length >= cards.length && !found.includes(undefined)) {
    return new XlaDevice(client, found as PjrtDevice[], name);
  }
  const count = client.devices.length;
  client[Symbol.dispose]();
  const asked = cards.length === 1 ? "number" : "numbers";
  throw new InputError(
    `device: ${plugin.name} has ${shows ? "fewer" : count} ${count === 1 && !shows ? "card" : "cards"}; there is none of ${asked} ${cards.join(", ")}`,
  );
}

/** The cards that this process uses, and those that it was allowed. */
let shown: { readonly name: string; readonly allowed: readonly string[] } | undefined;

/**
 * Lets CUDA see the cards in use only, for XLA takes most of the memory of every card that it sees. Numbers count the cards
 * that the process was started with.
 * @throws InputError where the process uses other cards already.
 */
export function showCards(name: string, cards: readonly number[]): void {
  if (shown && shown.name !== name) {
    throw new InputError(`device: this process computes on ${shown.name}; use another process for ${name}`);
  }
  const allowed = shown?.allowed ?? process.env.CUDA_VISIBLE_DEVICES?.split(",") ?? [];
  shown = { name, allowed };
  process.env.CUDA_VISIBLE_DEVICES = cards.map((card) => allowed[card] ?? String(card)).join();
}

class XlaDevice implements Device {
  readonly name: string;
  readonly kind: string;
  readonly runtime: string;
  readonly traits: Traits;
  readonly client: PjrtClient;
  readonly cards: readonly PjrtDevice[];
  readonly #cache: ExecutableCache;
  readonly #places: readonly number[]; // among the devices that the client sees: what compilation counts by, ids do not suit
  readonly #clearing = new Map<string, Program>();

  constructor(client: PjrtClient, cards: readonly PjrtDevice[], name: string) {
    const { kind } = cards[0] as PjrtDevice;
    this.client = client;
    this.cards = cards;
    this.#places = cards.map((card) => client.devices.indexOf(card));
    this.name = name;
    this.kind = kind;
    this.runtime = `xla-${client.platform} pjrt-${client.api.version}`;
    this.#cache = new ExecutableCache(`${client.platform} ${client.platformVersion} ${client.api.version} ${kind}`);
    this.traits = {
      ...{ memory: "device", shapes: "fixed", exactIntegerSums: true, runsAhead: 1 },
      repeatable: client.platform === "cpu", // cuDNN's backward attention adds in no fixed order
      precision: client.platform === "cpu" ? "float32" : "bfloat16",
      ...{ attention: "fused", attentionBlock: 256, scoredTokens: cards.length << 15 },
      logitElements: cards.length * 2 ** 28,
      mesh: { data: cards.length, model: 1 },
    };
  }

  freeBytes(): number {
    const free = this.cards.map((card) => {
      const { limit, used = 0 } = this.client.memory(card);
      return limit === undefined ? freeHostBytes() : limit - used;
    });
    return Math.min(...free);
  }

  /** Of the fullest card. */
  memory(): DeviceMemory {
    const all = this.cards.map((card) => this.client.memory(card));
    return all.reduce((most, next) => ((next.used ?? 0) > (most.used ?? 0) ? next : most));
  }

  put(tensor: Tensor, layout: Layout = []): XlaBuffer {
    const { mesh } = this.traits;
    const parts = this.cards.map((card, place) => this.client.upload(partOf(tensor, layout, mesh, place), card));
    return new XlaBuffer(parts, tensor.shape, layout, mesh);
  }

  async clear(buffers: Buffers): Promise<Buffers> {
    const list = Object.entries(buffers) as [string, XlaBuffer][];
    const key = list.map(([name, { dtype, shape, layout }]) => `${name}:${dtype}[${shape}][${layout}]`).join();
    let program = this.#clearing.get(key);
    if (!program) {
      const layouts = Object.fromEntries(list.map(([name, { layout }]) => [name, layout]));
      program = await this.compile(zerosLike(buffers), { layouts });
      this.#clearing.set(key, program);
    }
    for (const buffer of Object.values(buffers)) buffer[Symbol.dispose]();
    return program.run({});
  }

  async compile(graph: Graph, { constants = {}, layouts = {} }: CompileOptions = {}): Promise<XlaProgram> {
    const attention = this.client.platform === "cuda" ? "cudnn" : "blocks";
    const module = toStableHlo(graph, {
      precision: "highest",
      attention,
      cudnnHead: 256,
      ...this.#spread(graph, layouts),
    });
    const target = { devices: this.#places };
    const { executable, digest } = await told(() => this.#cache.executable(this.client, module.text, target));
    const packed = putAll(this, constants, layouts) as Readonly<Record<string, XlaBuffer>>;
    return new XlaProgram(this.client, this.traits.mesh, {
      graph,
      module,
      executable,
      digest,
      layouts,
      constants: packed,
    });
  }

  /** How a graph lies on several cards; what has no layout is whole, and said to be. */
  #spread(graph: Graph, layouts: Layouts) {
    const { mesh } = this.traits;
    if (processors(mesh) === 1) return {};
    const named = [
      ...graph.inputs.map(({ node, shape }) => [node.attributes.name, shape] as const),
      ...Object.entries(graph.outputs).map(([name, { shape }]) => [name, shape] as const),
    ];
    const shardings = Object.fromEntries(
      named.map(([name, shape]) => [name, shape.map((_, dim) => axisList(layouts[name]?.[dim]))]),
    );
    return { mesh: { axes: { data: mesh.data, model: mesh.model }, batch: "data" }, shardings };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#clearing.values()) program[Symbol.dispose]();
    this.client[Symbol.dispose]();
  }
}

const axisList = (axis: MeshAxis | undefined) => (axis === undefined ? [] : [axis]);

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
