// The C API of a PJRT plugin (openxla/xla, xla/pjrt/c/pjrt_c_api.h) as calls on zeroed argument structs: the only file that
// knows where its functions and fields lie and the only one that imports koffi, which calls C functions from Node.

import { existsSync } from "node:fs";
import { InputError } from "../../error.ts";
import { checkEnds } from "../../files/regular-file.ts";
import { Args, type Handle } from "./args.ts";

/** What went wrong inside a plugin. */
export class PjrtError extends Error {
  override readonly name = "PjrtError";
  /** absl's status code: 3 invalid argument, 8 out of memory, 12 unimplemented, 13 internal. */
  readonly code: number;

  constructor(call: string, code: number, text: string) {
    super(`${call}: [${code}] ${text}`);
    this.code = code;
  }

  get isOutOfMemory(): boolean {
    return this.code === 8;
  }
}

/** Where a function's pointer lies in `PJRT_Api`, and the size of its argument struct. */
const functions = {
  Error_Destroy: [40, 24],
  Error_Message: [48, 40],
  Error_GetCode: [56, 28],
  Plugin_Initialize: [64, 16],
  Event_Destroy: [80, 24],
  Event_Await: [104, 24],
  Client_Create: [120, 88],
  Client_Destroy: [128, 24],
  Client_PlatformName: [136, 40],
  Client_PlatformVersion: [152, 40],
  Client_AddressableDevices: [168, 40],
  Client_Compile: [200, 56],
  Client_BufferFromHostBuffer: [216, 120],
  DeviceDescription_Id: [224, 28],
  DeviceDescription_Kind: [248, 40],
  Device_GetDescription: [272, 32],
  Device_MemoryStats: [312, 192],
  Executable_Destroy: [360, 24],
  Executable_NumOutputs: [392, 32],
  Executable_Serialize: [432, 56],
  LoadedExecutable_Destroy: [440, 24],
  LoadedExecutable_GetExecutable: [448, 32],
  LoadedExecutable_Execute: [480, 80],
  Executable_DeserializeAndLoad: [488, 64],
  Buffer_Destroy: [504, 24],
  Buffer_ToHostBuffer: [600, 56],
  Buffer_ReadyEvent: [616, 32],
  Executable_GetCompiledMemoryStats: [808, 120],
} as const;

/** A function of the API. */
export type CallName = keyof typeof functions;

type NativeCall = ((args: Buffer) => bigint) & {
  async(args: Buffer, done: (error: Error | null, result: bigint) => void): void;
};

interface Koffi {
  config(options: Record<string, number>): unknown;
  load(path: string | null): { func(declaration: string): (...args: unknown[]) => bigint };
  proto(declaration: string): unknown;
  decode(pointer: bigint, offsetOrType: unknown, type?: unknown, length?: number): unknown;
  address(memory: ArrayBufferView): bigint;
}

let koffi: Koffi | undefined;

/** Bytes of the stacks that calls run on: a compiler needs more than koffi gives. */
const stackBytes = 16 << 20;

/** Calls on other threads at a time; Node has four threads for them, and koffi refuses too many. */
const mostAsyncCalls = 16;

async function loadKoffi(): Promise<Koffi> {
  if (koffi) return koffi;
  try {
    koffi = ((await import("koffi")) as { default: Koffi }).default;
  } catch (error) {
    const advice = "it is an optional dependency of crosslayer that XLA devices need: npm install koffi";
    throw new InputError(`xla: the package koffi is not there (${(error as Error).message}); ${advice}`);
  }
  koffi.config({ sync_stack_size: stackBytes, async_stack_size: stackBytes });
  return koffi;
}

/** dlopen's RTLD_NOW, and RTLD_NODELETE of Linux and of macOS. */
const resolveNow = 2;
const noDelete = process.platform === "darwin" ? 0x80 : 0x1000;

/** Keeps a library to the end of the process: its threads outlive koffi, which would unload it under them. */
function keepLoaded(native: Koffi, path: string): void {
  if (process.platform === "win32") return;
  native.load(null).func("uintptr_t dlopen(const char *path, int flags)")(path, resolveNow | noDelete);
}

/** @throws InputError where a plugin's API is of another major version than the one that is known here. */
export function checkVersion(path: string, major: number, minor: number): void {
  if (major === 0) return;
  throw new InputError(`${path}: its PJRT API has version ${major}.${minor}; crosslayer knows 0.x`);
}

/** A plugin's functions. */
export class PjrtApi {
  /** The version of the plugin's API, as in `0.115`. */
  readonly version: string;
  readonly #koffi: Koffi;
  readonly #table: bigint;
  readonly #tableBytes: number;
  readonly #prototype: unknown;
  readonly #calls = new Map<CallName, NativeCall>();
  readonly #running = new Set<Promise<unknown>>(); // calls on other threads

  private constructor(koffi: Koffi, table: bigint, prototype: unknown, sizes: { bytes: number; version: string }) {
    this.#koffi = koffi;
    this.#table = table;
    this.#prototype = prototype;
    this.#tableBytes = sizes.bytes;
    this.version = sizes.version;
  }

  /** Loads a plugin; the same one again is the one that is there. @throws InputError if the file is none. */
  static async load(path: string): Promise<PjrtApi> {
    const known = loaded.get(path);
    if (known) return known;
    if (!existsSync(path)) throw new InputError(`xla: no plugin at ${path}`);
    checkEnds(path);
    const native = await loadKoffi();
    process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
    let table: bigint;
    try {
      keepLoaded(native, path);
      table = native.load(path).func("uintptr_t GetPjrtApi()")();
    } catch (error) {
      throw new InputError(`xla: ${path} is no PJRT plugin: ${(error as Error).message}`);
    }
    table = BigInt(table);
    const bytes = Number(native.decode(table, "uint64_t"));
    const [major, minor] = [32, 36].map((offset) => Number(native.decode(table, offset, "int32_t"))) as [
      number,
      number,
    ];
    checkVersion(path, major, minor);
    prototype ??= native.proto("uintptr_t PjrtCall(void *args)");
    const api = new PjrtApi(native, table, prototype, { bytes, version: `${major}.${minor}` });
    api.call("Plugin_Initialize", api.args("Plugin_Initialize"));
    loaded.set(path, api);
    return api;
  }

  /** Zeroed arguments for a call. */
  args(name: CallName): Args {
    return this.struct(functions[name][1]);
  }

  /** A zeroed struct of `size` bytes. */
  struct(size: number): Args {
    return new Args(size, (memory) => BigInt(this.#koffi.address(memory)));
  }

  /** Memory for `count` addresses. */
  addresses(handles: readonly Handle[]): BigUint64Array {
    return BigUint64Array.from(handles);
  }

  /** The address of memory that its owner keeps alive. */
  addressOf(memory: ArrayBufferView): Handle {
    return BigInt(this.#koffi.address(memory));
  }

  /** Bytes that lie at an address, copied. */
  bytesAt(address: Handle, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0);
    return Uint8Array.from(this.#koffi.decode(address, `uint8_t [${length}]`) as Uint8Array);
  }

  textAt(address: Handle, length: number): string {
    return new TextDecoder().decode(this.bytesAt(address, length));
  }

  /** Handles that lie at an address. */
  handlesAt(address: Handle, count: number): Handle[] {
    const bytes = this.bytesAt(address, 8 * count);
    return [...new BigUint64Array(bytes.buffer)];
  }

  /** Calls a deleter that a call gave, with what it is to delete. */
  free(deleter: Handle, what: Handle): void {
    if (deleter === 0n) return;
    deleterPrototype ??= this.#koffi.proto("void PjrtDeleter(uintptr_t what)");
    (this.#koffi.decode(deleter, deleterPrototype) as (what: Handle) => void)(what);
  }

  /** Calls, on this thread. @throws PjrtError */
  call(name: CallName, args: Args): Args {
    this.#check(name, BigInt(this.#function(name)(args.bytes)));
    return args;
  }

  /** Calls on another thread, so that the event loop lives meanwhile. @throws PjrtError */
  async callAsync(name: CallName, args: Args): Promise<Args> {
    while (this.#running.size >= mostAsyncCalls) await Promise.race(this.#running);
    const call = new Promise<bigint>((resolve, reject) =>
      this.#function(name).async(args.bytes, (failure, result) =>
        failure ? reject(failure) : resolve(BigInt(result)),
      ),
    );
    const settled: Promise<unknown> = call.then(
      () => this.#running.delete(settled),
      () => this.#running.delete(settled),
    );
    this.#running.add(settled);
    this.#check(name, await call);
    return args;
  }

  /** Waits for an event and frees it. @throws PjrtError with what failed. */
  async settled(event: Handle): Promise<void> {
    try {
      await this.callAsync("Event_Await", this.args("Event_Await").pointer(16, event));
    } finally {
      this.call("Event_Destroy", this.args("Event_Destroy").pointer(16, event));
    }
  }

  #function(name: CallName): NativeCall {
    let found = this.#calls.get(name);
    if (!found) {
      const [offset] = functions[name];
      if (offset + 8 > this.#tableBytes) {
        throw new InputError(`xla: this plugin (PJRT ${this.version}) is too old: it has no ${name}`);
      }
      const pointer = BigInt(this.#koffi.decode(this.#table, offset, "uintptr_t") as bigint);
      found = this.#koffi.decode(pointer, this.#prototype) as NativeCall;
      this.#calls.set(name, found);
    }
    return found;
  }

  #check(call: string, error: Handle): void {
    if (error === 0n) return;
    const message = this.args("Error_Message").pointer(16, error);
    this.#function("Error_Message")(message.bytes);
    const text = this.textAt(message.handle(24), message.number(32));
    const code = this.args("Error_GetCode").pointer(16, error);
    this.#function("Error_GetCode")(code.bytes);
    this.#function("Error_Destroy")(this.args("Error_Destroy").pointer(16, error).bytes);
    throw new PjrtError(call, code.bytes.readInt32LE(24), text);
  }
}

const loaded = new Map<string, PjrtApi>();
let prototype: unknown;
let deleterPrototype: unknown;
