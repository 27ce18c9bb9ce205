// How tensors lie on several devices, as Shardy's attributes. XLA's partitioner derives each device's work from them.

import type { Ref } from "./body.ts";
import { type Type, typeText } from "./text.ts";

/** Devices as a grid: the length of each axis by name, the outermost first. */
export interface Mesh {
  readonly axes: Readonly<Record<string, number>>;
  /** The axis over which sequences of the batch are split. */
  readonly batch?: string;
}

/** For each dimension of a tensor, the mesh axes over which it is split; none where every device has all of it. */
export type Sharding = readonly (readonly string[])[];

/** The mesh axis that splits the batch, and over how many devices. */
export interface BatchMesh {
  readonly axis: string;
  readonly devices: number;
}

/** `sdy.mesh @mesh = <["data"=2]>`. */
export function meshText({ axes }: Mesh): string {
  return `sdy.mesh @mesh = <[${Object.entries(axes)
    .map(([name, length]) => `"${name}"=${length}`)
    .join(", ")}]>`;
}

/** The number of devices. */
export function deviceCount(mesh: Mesh | undefined): number {
  return Object.values(mesh?.axes ?? {}).reduce((count, length) => count * length, 1);
}

/** `<@mesh, [{"data"}, {}]>`. */
export function shardingText(sharding: Sharding): string {
  return `<@mesh, [${sharding.map((axes) => `{${axes.map((axis) => `"${axis}"`).join(", ")}}`).join(", ")}]>`;
}

/** @throws TypeError where the mesh has no such axis or the tensor does not divide. */
export function checkSharding(name: string, { shape }: Type, sharding: Sharding, mesh: Mesh | undefined): void {
  const wrong =
    sharding.length !== shape.length ||
    sharding.some((axes, dim) => {
      const parts = axes.reduce((product, axis) => product * (mesh?.axes[axis] ?? Number.NaN), 1);
      return Number.isNaN(parts) || (shape[dim] as number) % parts !== 0;
    });
  if (wrong) {
    const found = `${shardingText(sharding)} of [${shape.join(", ")}]`;
    throw new TypeError(`stablehlo: ${name} cannot lie as ${found} on ${mesh ? meshText(mesh) : "one device"}`);
  }
}

/** Where instructions are written, whether in a function or within a region. */
interface Writer {
  emitAll(instruction: string, types: readonly Type[]): Ref[];
}

/**
 * The results of `write` where each device computes its own part of the batch: the first axis of every operand and
 * result is split. An empty result, which some kernels give, stays whole.
 */
export function splitBatch(
  to: Writer,
  { axis, devices }: BatchMesh,
  operands: readonly Ref[],
  results: readonly Type[],
  write: (operands: readonly Ref[], results: readonly Type[]) => string,
): Ref[] {
  const split = ({ shape }: Type) => shape[0] !== 0;
  const local = (type: Type): Type => {
    if (!split(type)) return type;
    if ((type.shape[0] as number) % devices !== 0) {
      throw new TypeError(`stablehlo: a batch of ${type.shape[0]} does not divide over ${devices} devices`);
    }
    return { dtype: type.dtype, shape: type.shape.with(0, (type.shape[0] as number) / devices) };
  };
  const layout = (types: readonly Type[]) =>
    `[${types.map((type) => shardingText(type.shape.map((_, dim) => (dim === 0 && split(type) ? [axis] : [])))).join(", ")}]`;
  const inner = operands.map((operand, i) => ({ ...local(operand), name: `%.part${i}` }));
  const made = results.map(local);
  const names = operands.map(({ name }) => name).join(", ");
  const types = (list: readonly Type[]) => list.map(typeText).join(", ");
  return to.emitAll(
    `sdy.manual_computation(${names}) in_shardings=${layout(operands)} out_shardings=${layout(results)} manual_axes={"${axis}"} (${inner.map((part) => `${part.name}: ${typeText(part)}`).join(", ")}) {
  %.own:${made.length} = ${write(inner, made)}
  sdy.return ${made.map((_, i) => `%.own#${i}`).join(", ")} : ${types(made)}
} : (${types(operands)}) -> (${types(results)})`,
    results,
  );
}
