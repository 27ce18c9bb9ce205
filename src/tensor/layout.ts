// How a tensor lies on a device that is several processors: whole on each, or split along some of its dimensions.

import { sizeOf, type Tensor, zeros } from "./tensor.ts";

/** The axes along which processors are counted: sequences are split over "data", the inside of layers over "model". */
export type MeshAxis = "data" | "model";

/** How many processors there are along each axis; the last one counts first. */
export type Mesh = Readonly<Record<MeshAxis, number>>;

/** For each dimension the axis over which it is split. What is not named is whole on every processor. */
export type Layout = readonly (MeshAxis | undefined)[];

/** Layouts by the names of inputs and outputs; those without one are whole. */
export type Layouts = Readonly<Record<string, Layout>>;

/** One processor. */
export const alone: Mesh = { data: 1, model: 1 };

/** How many processors a mesh has. */
export const processors = ({ data, model }: Mesh): number => data * model;

/** The shape of the part that one processor has. @throws TypeError where a dimension does not divide. */
export function partShape(shape: readonly number[], layout: Layout, mesh: Mesh): number[] {
  return shape.map((size, dim) => {
    const axis = layout[dim];
    const parts = axis ? mesh[axis] : 1;
    if (size % parts !== 0) throw new TypeError(`layout: ${size} of [${shape}] does not divide over ${parts}`);
    return size / parts;
  });
}

/** The part of a tensor that processor `place` has; the tensor itself where that is all of it. */
export function partOf(tensor: Tensor, layout: Layout, mesh: Mesh, place: number): Tensor {
  if (isWhole(layout, mesh)) return tensor;
  const shape = partShape(tensor.shape, layout, mesh);
  const part = zeros(tensor.dtype, shape);
  eachRow(tensor.shape, layout, mesh, place, (whole, own, length) =>
    part.data.set(tensor.data.subarray(whole, whole + length) as never, own),
  );
  return part;
}

/** The tensor whose parts the processors have, in their order. */
export function wholeOf(parts: readonly Tensor[], shape: readonly number[], layout: Layout, mesh: Mesh): Tensor {
  const [first] = parts as [Tensor];
  if (isWhole(layout, mesh)) return first;
  const whole = zeros(first.dtype, shape);
  for (const [place, part] of parts.entries()) {
    eachRow(shape, layout, mesh, place, (at, own, length) =>
      whole.data.set(part.data.subarray(own, own + length) as never, at),
    );
  }
  return whole;
}

/** Whether every processor has all of a tensor that lies so. */
export function isWhole(layout: Layout, mesh: Mesh): boolean {
  return layout.every((axis) => axis === undefined || mesh[axis] === 1);
}

/** Every row (along the last dimension) of a part: where it begins in the whole and in the part, and its length. */
function eachRow(
  shape: readonly number[],
  layout: Layout,
  mesh: Mesh,
  place: number,
  visit: (whole: number, own: number, length: number) => void,
): void {
  const part = partShape(shape, layout, mesh);
  const begins = part.map((size, dim) => size * coordinate(layout[dim], mesh, place));
  const last = shape.length - 1;
  const length = part[last] as number;
  for (let own = 0; own < sizeOf(part); own += length) {
    let [rest, stride] = [own / length, shape[last] as number];
    let whole = begins[last] as number;
    for (let dim = last - 1; dim >= 0; dim--) {
      const size = part[dim] as number;
      whole += ((begins[dim] as number) + (rest % size)) * stride;
      rest = Math.floor(rest / size);
      stride *= shape[dim] as number;
    }
    visit(whole, own, length);
  }
}

/** Where processor `place` stands along an axis. */
function coordinate(axis: MeshAxis | undefined, { model }: Mesh, place: number): number {
  return axis === undefined ? 0 : axis === "model" ? place % model : Math.floor(place / model);
}
