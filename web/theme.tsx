// Light or dark: the system's choice until the reader makes one, which this browser then remembers.

import { useEffect, useState } from "preact/hooks";

/** A theme; undefined where the reader chose none. */
export type Theme = "light" | "dark" | undefined;

const key = "crosslayer-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** What the reader chose before. */
export function storedTheme(): Theme {
  const found = localStorage.getItem(key);
  return found === "light" || found === "dark" ? found : undefined;
}

/** Shows the page in a theme. */
export function applyTheme(theme: Theme): void {
  if (theme === undefined) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** A button to the other theme. */
export function ThemeButton() {
  const [chosen, setChosen] = useState(storedTheme);
  const [dark, setDark] = useState(system.matches);
  useEffect(() => {
    const follow = () => setDark(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  const other = (chosen ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
  const change = () => {
    localStorage.setItem(key, other);
    applyTheme(other);
    setChosen(other);
  };
  return (
    <button type="button" class="icon-button" onClick={change} aria-label={`Use the ${other} theme`}>
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
        {other === "dark" ? (
          <path d="M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z" fill="currentColor" />
        ) : (
          <g fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round">
            <circle cx="12" cy="12" r="4" fill="currentColor" />
            <path d="M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400" />
          </g>
        )}
      </svg>
    </button>
  );
}
