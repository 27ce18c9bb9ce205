// The key that a server may ask for: kept for this tab alone, sent with every request. Knows whether the last request
// was refused for want of the right one, and tells who listens.

import { useEffect, useState } from "preact/hooks";

const name = "crosslayer-key";
const listeners = new Set<() => void>();
let refused = false;

function tell(now: boolean): void {
  if (refused === now) return;
  refused = now;
  for (const listener of listeners) listener();
}

/** The headers that show the key; none without one. */
export function keyHeaders(): Record<string, string> {
  const key = sessionStorage.getItem(name);
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** Whether a key was given in this tab. */
export function hasKey(): boolean {
  return sessionStorage.getItem(name) !== null;
}

/** Keeps a key and lets requests be tried again. */
export function keepKey(key: string): void {
  sessionStorage.setItem(name, key);
  tell(false);
}

/** Notes that the server refused the key, or the lack of one. */
export function keyRefused(): void {
  tell(true);
}

/** Whether the server waits for another key. */
export function useKeyRefused(): boolean {
  const [value, setValue] = useState(refused);
  useEffect(() => {
    const listener = () => setValue(refused);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return value;
}
