// What fits as blocks: the memory beside the weights, the same area for the same bytes, as drawn and without sharing.

import { ownColor, sharedColor } from "../../src/charts/palette.ts";
import { integerText } from "../../src/charts/quantity.ts";
import { Blocks, blocksPerCell } from "../parts/blocks.tsx";
import type { Planned, Side } from "./planned.ts";

/** Most cells of a cache that can still be told apart. */
const mostCells = 256;

/** Pixels of the larger cache's height. */
const highest = 48;

/** Both caches, the drawn one first. */
export function PlanBlocks({ plan: { request, shared, unshared } }: { plan: Planned }) {
  const bytesOf = ({ capacity }: Side) => capacity.blocks * request.blockSize * capacity.kvBytesPerToken;
  const most = Math.max(1, bytesOf(shared), bytesOf(unshared));
  const perCell = blocksPerCell(Math.max(shared.capacity.blocks, unshared.capacity.blocks), mostCells);
  const sides = [
    [
      "fit as drawn",
      shared,
      shared.capacity.kvBytesPerToken < unshared.capacity.kvBytesPerToken ? sharedColor : ownColor,
    ],
    ["fit without sharing", unshared, ownColor],
  ] as const;
  const told = perCell === 1 ? "a block" : `${integerText(perCell)} blocks`;
  return (
    <>
      <div class="memory">
        {sides.map(([name, side, color]) => {
          const tokens = integerText(side.capacity.blocks * request.blockSize);
          return (
            <div key={name} class="memory-row">
              <p>
                <b>{tokens}</b> tokens {name}
              </p>
              <Blocks
                {...{ color, perCell, width: 480 }}
                counts={{ shared: 0, used: side.capacity.blocks, cached: 0, free: 0 }}
                height={Math.max(4, (highest * bytesOf(side)) / most)}
                label={`${name}: ${tokens} tokens in ${integerText(side.capacity.blocks)} blocks`}
              />
            </div>
          );
        })}
      </div>
      <p class="note">
        The same area is the same memory, a square {told} of {integerText(request.blockSize)} tokens.
      </p>
    </>
  );
}
