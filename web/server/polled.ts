// Something the server tells again and again: asked for while the page can be seen, one request at a time.

import { useEffect, useRef, useState } from "preact/hooks";

/** The last answer, and why the last attempt failed if it did. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: Error | undefined;
}

/**
 * Calls `ask` at once and `seconds` after each answer, for as long as the component is there and the page is visible.
 * `ask` gets the value before. `key` names what is asked for: with another one, asking begins again.
 */
export function usePolled<T>(
  key: string,
  seconds: number,
  ask: (signal: AbortSignal, last: T | undefined) => Promise<T>,
): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ value: undefined, error: undefined });
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let busy = false;
    let last: T | undefined;
    const again = async () => {
      if (busy || document.hidden || ended.signal.aborted) return;
      busy = true;
      try {
        last = await asking.current(ended.signal, last);
        if (!ended.signal.aborted) setPolled({ value: last, error: undefined });
      } catch (error) {
        if (!ended.signal.aborted) setPolled({ value: last, error: error as Error });
      }
      busy = false;
      clearTimeout(timer);
      timer = setTimeout(again, seconds * 1000);
    };
    void again();
    document.addEventListener("visibilitychange", again);
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [key, seconds]);
  return polled;
}
