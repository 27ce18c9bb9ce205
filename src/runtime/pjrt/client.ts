// A plugin's client: its devices, the buffers that lie on them and the programs that it compiles.

import { bytesPer, type DType, viewOf } from "../../tensor/dtype.ts";
import { sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { PjrtApi } from "./api.ts";
import type { Args, Handle } from "./args.ts";
import { type ClientOptions, namedValues } from "./client-options.ts";
import { type CompileTarget, compileOptions } from "./compile-options.ts";

/** PJRT_Buffer_Type. */
const bufferTypes: Readonly<Record<DType, number>> = {
  bool: 1,
  int8: 2,
  int32: 4,
  int64: 5,
  uint8: 6,
  float16: 10,
  bfloat16: 13,
  float32: 11,
};

/** PJRT_HostBufferSemantics: the bytes are copied during the call. */
const copiedDuringCall = 0;

/** One of a client's devices. */
export interface PjrtDevice {
  readonly handle: Handle;
  readonly id: number;
  /** As the maker calls it: "NVIDIA H100 80GB HBM3", "cpu". */
  readonly kind: string;
}

/** A device's memory in bytes; undefined where it does not say. */
export interface DeviceMemory {
  readonly used?: number;
  readonly peak?: number;
  readonly limit?: number;
}

/** What a program needs, in bytes. */
export interface ProgramMemory {
  readonly arguments: number;
  readonly outputs: number;
  /** Outputs that lie where arguments lay. */
  readonly aliased: number;
  readonly temporary: number;
}

/** A plugin at work. Destroy buffers and programs before it. */
export class PjrtClient implements Disposable {
  readonly api: PjrtApi;
  readonly devices: readonly PjrtDevice[];
  /** "cpu", "cuda", … */
  readonly platform: string;
  readonly platformVersion: string;
  readonly #handle: Handle;
  #open = true;

  private constructor(api: PjrtApi, handle: Handle) {
    this.api = api;
    this.#handle = handle;
    const text = (call: "Client_PlatformName" | "Client_PlatformVersion") => {
      const found = api.call(call, api.args(call).pointer(16, handle));
      return api.textAt(found.handle(24), found.number(32));
    };
    this.platform = text("Client_PlatformName");
    this.platformVersion = text("Client_PlatformVersion");
    const found = api.call("Client_AddressableDevices", api.args("Client_AddressableDevices").pointer(16, handle));
    this.devices = api.handlesAt(found.handle(24), found.number(32)).map((device) => describe(api, device));
  }

  /** Starts a plugin. @throws InputError if it is none; PjrtError if it does not start. */
  static async open(path: string, options: ClientOptions = {}): Promise<PjrtClient> {
    const api = await PjrtApi.load(path);
    const args = api.args("Client_Create");
    args.pointer(16, namedValues(api, options)).size(24, Object.keys(options).length);
    await api.callAsync("Client_Create", args);
    return new PjrtClient(api, args.handle(64));
  }

  /** A device's memory as it stands. */
  memory({ handle }: PjrtDevice): DeviceMemory {
    const args = this.api.args("Device_MemoryStats").pointer(16, handle);
    try {
      this.api.call("Device_MemoryStats", args);
    } catch {
      return {}; // the CPU keeps no count
    }
    const set = (offset: number, flag: number) => (args.bytes[flag] ? args.number(offset) : undefined);
    return { used: args.number(24), peak: set(32, 40), limit: set(80, 88) };
  }

  /** Copies a tensor to a device. */
  upload({ dtype, shape, data }: Tensor, { handle }: PjrtDevice): PjrtBuffer {
    const args = this.api.args("Client_BufferFromHostBuffer");
    // No elements have no address, and plugins want one.
    const bytes = data.length > 0 ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(8);
    args.pointer(16, this.#handle).pointer(24, bytes).int(32, bufferTypes[dtype]);
    args.pointer(40, BigInt64Array.from(shape.length > 0 ? shape : [0], BigInt)).size(48, shape.length);
    args.int(72, copiedDuringCall).pointer(80, handle);
    this.api.call("Client_BufferFromHostBuffer", args);
    const done = args.handle(104);
    if (done !== 0n) this.api.call("Event_Destroy", this.api.args("Event_Destroy").pointer(16, done));
    return new PjrtBuffer(this, args.handle(112), dtype, shape);
  }

  /** Compiles StableHLO text. @throws PjrtError that names line and value of what is wrong. */
  async compile(text: string, target?: CompileTarget): Promise<PjrtExecutable> {
    const { api } = this;
    const [code, format] = [new TextEncoder().encode(text), new TextEncoder().encode("mlir")];
    const program = api.struct(48).pointer(16, code).size(24, code.length).pointer(32, format).size(40, format.length);
    const options = compileOptions(target);
    const args = api.args("Client_Compile").pointer(16, this.#handle).pointer(24, program);
    args.pointer(32, options).size(40, options.length);
    await api.callAsync("Client_Compile", args);
    return new PjrtExecutable(this, args.handle(48), target?.devices?.length ?? 1);
  }

  /** Loads what `serialize` gave. @throws PjrtError where it is damaged or another version's. */
  async load(serialized: Uint8Array, target?: CompileTarget): Promise<PjrtExecutable> {
    const args = this.api.args("Executable_DeserializeAndLoad").pointer(16, this.#handle);
    args.pointer(24, serialized).size(32, serialized.length);
    await this.api.callAsync("Executable_DeserializeAndLoad", args);
    return new PjrtExecutable(this, args.handle(40), target?.devices?.length ?? 1);
  }

  /** False once it is gone, with all that it made. */
  get isOpen(): boolean {
    return this.#open;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.api.call("Client_Destroy", this.api.args("Client_Destroy").pointer(16, this.#handle));
  }
}

/** A tensor on a device. */
export class PjrtBuffer implements Disposable {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly #client: PjrtClient;
  #handle: Handle | undefined;

  constructor(client: PjrtClient, handle: Handle, dtype: DType, shape: readonly number[]) {
    this.#client = client;
    this.#handle = handle;
    this.dtype = dtype;
    this.shape = shape;
  }

  /** The native object. @throws TypeError where it is gone. */
  get handle(): Handle {
    if (this.#handle === undefined) throw new TypeError("buffer: used after it was given up or disposed of");
    return this.#handle;
  }

  /** Its contents, once what computes it is done. @throws PjrtError with what failed in it. */
  async download(): Promise<Tensor> {
    const { api } = this.#client;
    const length = sizeOf(this.shape);
    const bytes = new Uint8Array(length * bytesPer[this.dtype]);
    if (length === 0) {
      await this.ready();
      return { dtype: this.dtype, shape: this.shape, data: viewOf(this.dtype, bytes.buffer, 0, 0) };
    }
    const args = api.args("Buffer_ToHostBuffer").pointer(16, this.handle).pointer(32, bytes).size(40, bytes.length);
    api.call("Buffer_ToHostBuffer", args);
    await api.settled(args.handle(48));
    return { dtype: this.dtype, shape: this.shape, data: viewOf(this.dtype, bytes.buffer, 0, length) };
  }

  /** Waits until it is computed. @throws PjrtError with what failed in it. */
  async ready(): Promise<void> {
    const { api } = this.#client;
    await api.settled(api.call("Buffer_ReadyEvent", api.args("Buffer_ReadyEvent").pointer(16, this.handle)).handle(24));
  }

  [Symbol.dispose](): void {
    if (this.#handle === undefined || !this.#client.isOpen) return;
    const { api } = this.#client;
    api.call("Buffer_Destroy", api.args("Buffer_Destroy").pointer(16, this.#handle));
    this.#handle = undefined;
  }
}

/** A compiled module on its devices. */
export class PjrtExecutable implements Disposable {
  readonly #client: PjrtClient;
  readonly #loaded: Handle;
  readonly #executable: Handle;
  readonly #outputs: number;
  readonly #devices: number;
  readonly #options: Args;
  #open = true;

  constructor(client: PjrtClient, loaded: Handle, devices: number) {
    const { api } = client;
    this.#client = client;
    this.#loaded = loaded;
    this.#devices = devices;
    const found = api.call(
      "LoadedExecutable_GetExecutable",
      api.args("LoadedExecutable_GetExecutable").pointer(16, loaded),
    );
    this.#executable = found.handle(24);
    const counted = api.call("Executable_NumOutputs", api.args("Executable_NumOutputs").pointer(16, this.#executable));
    this.#outputs = counted.number(24);
    this.#options = api.struct(120);
  }

  /**
   * Enqueues a run: `inputs[device][argument]` to handles `[device][output]`. What fails in it shows when an output is
   * read. Inputs that the module donates are given up. @throws PjrtError where the call itself is wrong.
   */
  execute(inputs: readonly (readonly PjrtBuffer[])[]): Handle[][] {
    const { api } = this.#client;
    const argumentLists = inputs.map((list) => api.addresses(list.map(({ handle }) => handle)));
    const outputLists = inputs.map(() => new BigUint64Array(this.#outputs));
    const args = api.args("LoadedExecutable_Execute").pointer(16, this.#loaded).pointer(24, this.#options);
    args.keep(argumentLists).pointer(32, api.addresses(argumentLists.map((list) => api.addressOf(list))));
    args.size(40, this.#devices).size(48, inputs[0]?.length ?? 0);
    args.pointer(56, api.addresses(outputLists.map((list) => api.addressOf(list))));
    api.call("LoadedExecutable_Execute", args);
    return outputLists.map((list) => [...list]);
  }

  /** What it needs on each device. */
  get memory(): ProgramMemory {
    const { api } = this.#client;
    const args = api.args("Executable_GetCompiledMemoryStats").pointer(16, this.#executable);
    const found = api.call("Executable_GetCompiledMemoryStats", args);
    const [argumentBytes, outputs, aliased, temporary] = [32, 40, 48, 56].map((offset) => found.number(offset));
    return { arguments: argumentBytes, outputs, aliased, temporary } as ProgramMemory;
  }

  /** Bytes from which `PjrtClient.load` makes it again. */
  serialize(): Uint8Array {
    const { api } = this.#client;
    const found = api.call("Executable_Serialize", api.args("Executable_Serialize").pointer(16, this.#executable));
    const bytes = api.bytesAt(found.handle(24), found.number(32));
    api.free(found.handle(48), found.handle(40));
    return bytes;
  }

  [Symbol.dispose](): void {
    if (!this.#open || !this.#client.isOpen) return;
    this.#open = false;
    const { api } = this.#client;
    api.call("Executable_Destroy", api.args("Executable_Destroy").pointer(16, this.#executable));
    api.call("LoadedExecutable_Destroy", api.args("LoadedExecutable_Destroy").pointer(16, this.#loaded));
  }
}

function describe(api: PjrtApi, handle: Handle): PjrtDevice {
  const description = api
    .call("Device_GetDescription", api.args("Device_GetDescription").pointer(16, handle))
    .handle(24);
  const id = api.call("DeviceDescription_Id", api.args("DeviceDescription_Id").pointer(16, description));
  const kind = api.call("DeviceDescription_Kind", api.args("DeviceDescription_Kind").pointer(16, description));
  return { handle, id: id.bytes.readInt32LE(24), kind: api.textAt(kind.handle(24), kind.number(32)) };
}
