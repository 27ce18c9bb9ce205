// How a model's parameters lie on several processors, from what their dimensions count (see `sites.ts`).

import type { Layouts, Mesh, MeshAxis } from "../tensor/layout.ts";
import type { ModelConfig } from "./config.ts";
import { parameters } from "./parameters.ts";
import type { Axis } from "./sites.ts";

/** "parameters": split over the processors that split the batch as well, and gathered where they are used (FSDP, ZeRO 3). */
export type Shard = "parameters";

/** What tensor parallelism splits: the inside of a layer, where its processors meet only once, after the last product. */
const inner: ReadonlySet<Axis> = new Set(["queries", "keys", "mlp", "vocab"]);

/**
 * Layouts by parameter: a dimension inside a layer is split over the mesh's "model" axis; with `shard`, the longest other
 * dimension of a matrix over its "data" axis. What does not divide is whole.
 */
export function parameterLayouts(config: ModelConfig, mesh: Mesh, shard?: Shard): Layouts {
  const splitKeys = config.kvHeads % mesh.model === 0;
  return Object.fromEntries(
    parameters(config).map(({ name, shape, site: { axes, kind } }) => {
      const layout = axes.map((axis, dim): MeshAxis | undefined => {
        const splits = inner.has(axis) && (axis !== "keys" || splitKeys) && (shape[dim] as number) % mesh.model === 0;
        return mesh.model > 1 && splits ? "model" : undefined;
      });
      if (shard && mesh.data > 1 && (kind === "matrix" || kind === "embedding")) {
        const free = shape.flatMap((size, dim) => (layout[dim] === undefined && size % mesh.data === 0 ? [dim] : []));
        const longest = free.sort((a, b) => (shape[b] as number) - (shape[a] as number))[0];
        if (longest !== undefined) layout[longest] = "data";
      }
      return [name, layout] as const;
    }),
  );
}
