// Which view the address asks for: `#chat`, `#cache`, `#sharing`, `#study`, with parameters as in `#chat?model=x`.
// Knows the views' names, not what they show.

import { useEffect, useState } from "preact/hooks";

/** The views in the order of the navigation, and what each is called. */
export const views = { chat: "Chat", cache: "Cache", sharing: "Sharing", study: "Study" } as const;
export type View = keyof typeof views;

/** A place in the page. */
export interface Route {
  readonly view: View;
  readonly parameters: URLSearchParams;
}

/** The place that a hash means; the chat if it means none. */
export function routeOf(hash: string): Route {
  const [name = "", query = ""] = hash.replace(/^#/, "").split("?");
  return { view: Object.hasOwn(views, name) ? (name as View) : "chat", parameters: new URLSearchParams(query) };
}

/** The address of a view. */
export function addressOf(view: View, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return query === "" ? `#${view}` : `#${view}?${query}`;
}

/** The place that the address names now. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
