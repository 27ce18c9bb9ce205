// Programs that XLA compiled, and the buffers that they take and give: a part of each on every card.

import { InputError } from "../error.ts";
import { replacedInputs } from "../graph/replaced.ts";
import type { Graph } from "../graph/trace.ts";
import type { StableHloModule } from "../stablehlo/module.ts";
import type { DType } from "../tensor/dtype.ts";
import { isWhole, type Layout, type Layouts, type Mesh, partShape, processors, wholeOf } from "../tensor/layout.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Buffer, Buffers, Program } from "./device.ts";
import { PjrtError } from "./pjrt/api.ts";
import { PjrtBuffer, type PjrtClient, type PjrtExecutable } from "./pjrt/client.ts";

/** A tensor on one or several cards. */
export class XlaBuffer implements Buffer {
  readonly shape: readonly number[];
  readonly layout: Layout;
  /** What each card has. */
  readonly parts: readonly PjrtBuffer[];
  readonly #mesh: Mesh;

  constructor(parts: readonly PjrtBuffer[], shape: readonly number[], layout: Layout, mesh: Mesh) {
    this.parts = parts;
    this.shape = shape;
    this.layout = layout;
    this.#mesh = mesh;
  }

  get dtype(): DType {
    return (this.parts[0] as PjrtBuffer).dtype;
  }

  async read(): Promise<Tensor> {
    const needed = isWhole(this.layout, this.#mesh) ? this.parts.slice(0, 1) : this.parts;
    const parts = await told(() => Promise.all(needed.map((part) => part.download())));
    return wholeOf(parts, this.shape, this.layout, this.#mesh);
  }

  [Symbol.dispose](): void {
    for (const part of this.parts) part[Symbol.dispose]();
  }
}

/** What a program is made of. */
export interface Compiled {
  readonly graph: Graph;
  readonly module: StableHloModule;
  readonly executable: PjrtExecutable;
  readonly digest: string | undefined;
  readonly layouts: Layouts;
  readonly constants: Readonly<Record<string, XlaBuffer>>;
}

/** A compiled graph on the cards of a mesh. */
export class XlaProgram implements Program {
  readonly #client: PjrtClient;
  readonly #mesh: Mesh;
  readonly #compiled: Compiled;
  readonly #replaced: ReadonlySet<string>;
  #seconds = 0;

  constructor(client: PjrtClient, mesh: Mesh, compiled: Compiled) {
    this.#client = client;
    this.#mesh = mesh;
    this.#compiled = compiled;
    this.#replaced = replacedInputs(compiled.graph);
  }

  async run(inputs: Buffers): Promise<Buffers> {
    const { graph, module, executable, constants, layouts } = this.#compiled;
    const [client, mesh] = [this.#client, this.#mesh];
    const read = module.inputs.map((name) => {
      const buffer = constants[name] ?? (inputs[name] as XlaBuffer | undefined);
      if (!buffer) throw new TypeError(`run: no tensor for input ${name}`);
      return buffer.parts;
    });
    const start = performance.now();
    const lists = Array.from({ length: processors(mesh) }, (_, place) =>
      read.map((parts) => parts[place] as PjrtBuffer),
    );
    const made = await told(async () => executable.execute(lists));
    this.#seconds += (performance.now() - start) / 1000;
    for (const name of this.#replaced) inputs[name]?.[Symbol.dispose]();
    return Object.fromEntries(
      module.outputs.map((name, i) => {
        const { dtype, shape } = graph.outputs[name] as { dtype: DType; shape: readonly number[] };
        const layout = layouts[name] ?? [];
        const own = partShape(shape, layout, mesh);
        const parts = made.map((list) => new PjrtBuffer(client, list[i] as bigint, dtype, own));
        return [name, new XlaBuffer(parts, shape, layout, mesh)];
      }),
    );
  }

  get digest(): string | undefined {
    return this.#compiled.digest;
  }

  get bytes(): number {
    const { arguments: given, outputs, aliased, temporary } = this.#compiled.executable.memory;
    return given + outputs - aliased + temporary;
  }

  get seconds(): number {
    return this.#seconds;
  }

  [Symbol.dispose](): void {
    this.#compiled.executable[Symbol.dispose]();
    for (const buffer of Object.values(this.#compiled.constants)) buffer[Symbol.dispose]();
  }
}

/** Does something on cards. @throws InputError where their memory does not suffice, whatever else it throws. */
export async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PjrtError && error.isOutOfMemory)) throw error;
    throw new InputError(
      `memory: the card's is exhausted (${error.message.split("\n")[0]}); a smaller micro-batch, recomputation, or parameters split over several cards take less`,
      { code: "out_of_memory" },
    );
  }
}
