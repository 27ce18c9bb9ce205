// A sharing as a picture to change: layers above, the cache below. Arrows write down into a slot and read up from it;
// dashed slots are saved. Each layer is a button.

import { borrowPath } from "../../src/charts/borrow-path.ts";
import { slotColor } from "../../src/charts/palette.ts";
import { owners, type Sharing } from "../../src/model/sharing.ts";

const pitch = 56; // pixels from layer to layer
const [left, top, side, box, slotTop, height] = [54, 12, 40, 36, 122, 170];
const center = (layer: number) => left + pitch * (layer + 0.5);

/** The picture; `onTurn` is called with the layer that was clicked. */
export function Picture({ sharing, onTurn }: { sharing: Sharing; onTurn: (layer: number) => void }) {
  const slots = owners(sharing);
  const width = left + pitch * sharing.length;
  const onKey = (event: KeyboardEvent, layer: number) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onTurn(layer);
  };
  return (
    <div class="picture">
      {/* biome-ignore lint/a11y/useSemanticElements: an SVG has no fieldset */}
      <svg
        role="group"
        aria-label="Layers and whose keys and values each reads"
        viewBox={`0 0 ${width} ${height}`}
        style={{ minWidth: `${0.8 * width}px`, maxWidth: `${1.4 * width}px` }}
      >
        <text x="0" y={top + box / 2} dy="0.35em" class="row-name">
          layers
        </text>
        <text x="0" y={slotTop + box / 2} dy="0.35em" class="row-name">
          cache
        </text>
        {sharing.map((owner, layer) => (
          <Path key={layer} owner={owner} layer={layer} color={slotColor(slots.indexOf(owner))} />
        ))}
        {sharing.map((owner, layer) => {
          const color = slotColor(slots.indexOf(owner));
          const owns = owner === layer;
          const x = center(layer) - side / 2;
          return (
            // biome-ignore lint/a11y/useSemanticElements: an SVG has no button
            <g
              key={layer}
              class={owns ? "layer owner" : "layer"}
              role="button"
              tabindex={0}
              aria-label={
                owns ? `Layer ${layer}: keeps its own keys and values` : `Layer ${layer}: reads layer ${owner}`
              }
              onClick={() => onTurn(layer)}
              onKeyDown={(event) => onKey(event, layer)}
            >
              <rect
                x={x}
                y={top}
                width={side}
                height={box}
                rx="7"
                fill={owns ? color : "var(--surface)"}
                stroke={color}
              />
              <text x={center(layer)} y={top + box / 2} dy="0.35em" text-anchor="middle">
                {layer}
              </text>
            </g>
          );
        })}
        {sharing.map((owner, layer) => (
          <Slot key={layer} layer={layer} color={owner === layer ? slotColor(slots.indexOf(owner)) : undefined} />
        ))}
      </svg>
    </div>
  );
}

function Slot({ layer, color }: { layer: number; color: string | undefined }) {
  const x = center(layer) - side / 2;
  return (
    <g class="slot">
      <rect
        {...{ x, y: slotTop, width: side, height: box, rx: 7 }}
        fill={color ?? "none"}
        stroke={color ?? "var(--soft)"}
        stroke-dasharray={color ? undefined : "4 4"}
      />
      {color && (
        <text x={center(layer)} y={slotTop + box / 2} dy="0.35em" text-anchor="middle">
          KV
        </text>
      )}
    </g>
  );
}

function Path({ owner, layer, color }: { owner: number; layer: number; color: string }) {
  const [x, bottom] = [center(layer), top + box];
  if (owner === layer) {
    return (
      <g>
        <line x1={x} y1={bottom} x2={x} y2={slotTop - 7} stroke={color} stroke-width="3" />
        <path d={`M${x},${slotTop} l-6,-9 h12 z`} fill={color} />
      </g>
    );
  }
  const path = borrowPath({ start: center(owner) + 12, slotTop, x, layerBottom: bottom, headRoom: 8 });
  return (
    <g>
      <path d={path} fill="none" stroke={color} stroke-width="2" />
      <path d={`M${x},${bottom + 2} l-5,8 h10 z`} fill={color} />
    </g>
  );
}
