// Which colour is which model.

/** The legend. */
export function ModelLegend({ colors }: { colors: ReadonlyMap<string, string> }) {
  return (
    <ul class="legend">
      {[...colors].map(([name, color]) => (
        <li key={name}>
          <i class="swatch line" style={{ background: color }} />
          {name}
        </li>
      ))}
    </ul>
  );
}
