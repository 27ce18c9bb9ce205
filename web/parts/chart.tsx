// A chart of Observable Plot in the page: as wide as its place, redrawn when that or its data changes. Where data come
// by the second, a chart under the pointer stays as it is, so that its tips can be read.

import * as Plot from "@observablehq/plot";
import { useEffect, useRef, useState } from "preact/hooks";

/** What a chart shows at a width. The plot's value is what its tip points at. */
export type Drawn = (width: number) => Plot.PlotOptions;

/** A chart; `label` tells those who cannot see it what it shows. */
export function Chart(props: {
  draw: Drawn;
  label: string;
  height: number;
  /** Whether data change by themselves. */
  live?: boolean;
  onSelect?: (value: unknown) => void;
}) {
  const { draw, label, height, live, onSelect } = props;
  const place = useRef<HTMLDivElement>(null);
  const drawnAt = useRef(0);
  const [width, setWidth] = useState(0);
  const [hovered, setHovered] = useState(false);
  useEffect(() => {
    const element = place.current as HTMLDivElement;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0 || (live && hovered && drawnAt.current === width)) return;
    drawnAt.current = live ? width : 0;
    const plot = Plot.plot({ ...draw(width), width, height, ariaLabel: label });
    for (const part of plot.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label"); // one image, one label
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", label);
    const select = () => onSelect?.(plot.value);
    if (onSelect) plot.addEventListener("click", select);
    place.current?.replaceChildren(plot);
  }, [draw, width, height, label, live, hovered, onSelect]);
  return (
    <div
      ref={place}
      class={onSelect ? "chart selectable" : "chart"}
      style={{ height: `${height}px` }}
      onPointerEnter={() => setHovered(true)}
      onPointerLeave={() => setHovered(false)}
    />
  );
}
