// Which colour is what: the lines of a chart by name.

/** The legend. */
export function Legend({ colors }: { colors: ReadonlyMap<string, string> }) {
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
