// What every view begins with: its name, and the question that it answers.

import type { ComponentChildren } from "preact";

/** The view's title, its question, and what stands beside them. */
export function Heading({ title, children, aside }: { title: string; children: string; aside?: ComponentChildren }) {
  return (
    <div class="heading">
      <div>
        <h1>{title}</h1>
        <p class="lead">{children}</p>
      </div>
      {aside}
    </div>
  );
}

/** Numbers with what they are, in tiles. */
export function Figures({ entries }: { entries: readonly (readonly [name: string, value: string, note?: string])[] }) {
  return (
    <dl class="figures">
      {entries.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {note !== undefined && <small>{note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
