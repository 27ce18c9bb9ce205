// Who may ask, by the names that browsers give: a page of another site must not read answers by giving its own name this
// machine's address (DNS rebinding), nor by asking from its own origin. Programs that are no browsers are not hindered.

import { hostname } from "node:os";
import type { MiddlewareHandler } from "hono";
import { ApiError } from "./api-error.ts";

/** By what names the server may be asked. */
export interface HostCheckOptions {
  /** The address that it listens on. */
  readonly host: string;
  /** Other names; `.example.org` stands for that and all names under it, `*` for any. */
  readonly allowedHosts: readonly string[];
  /** Origins whose pages may ask, as the CORS headers say; `*` for any. */
  readonly corsOrigins: readonly string[];
}

/** Answers 403 to who asks by a name, or from a page, that is not allowed. */
export function hostCheck({ host, allowedHosts, corsOrigins }: HostCheckOptions): MiddlewareHandler {
  const allowed = allowedHosts.map((name) => name.toLowerCase());
  const open = !isLoopback(host);
  const own = new Set([host.toLowerCase(), ...(open ? [hostname().toLowerCase()] : [])]);
  const isAllowed = (name: string): boolean => {
    if (isLoopback(name) || own.has(name) || (open && isAddress(name))) return true; // no site's name is an address
    return allowed.some((one) => one === "*" || one === name || (one.startsWith(".") && `.${name}`.endsWith(one)));
  };
  return async (c, next) => {
    const asked = c.req.header("host");
    const name = asked === undefined ? "localhost" : nameOf(`http://${asked}`); // HTTP/1.0 has none, and no browser speaks it
    if (name === undefined || !isAllowed(name)) throw refused("host", asked ?? "", "--allowed-hosts");
    const origin = c.req.header("origin");
    if (origin !== undefined && !corsOrigins.includes("*") && !corsOrigins.includes(origin)) {
      const from = nameOf(origin);
      if (from === undefined || !isAllowed(from)) throw refused("origin", origin, "--cors-origin");
    }
    await next();
  };
}

/** Whether a name or an address is this machine's own, for itself alone. */
export function isLoopback(name: string): boolean {
  return /^(([^.]+\.)*localhost|127(\.\d{1,3}){3}|\[?::1\]?|\[?::ffff:127(\.\d{1,3}){3}\]?)$/i.test(name);
}

function isAddress(name: string): boolean {
  return /^(\d{1,3}(\.\d{1,3}){3}|\[[\da-f:.]+\])$/i.test(name);
}

/** The name in an origin or a host, in small letters and without a port; undefined where there is none. */
function nameOf(url: string): string | undefined {
  const found = /^https?:\/\/(\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+)(?::\d+)?$/i.exec(url)?.[1];
  return found?.toLowerCase().replace(/\.$/, "");
}

function refused(what: "host" | "origin", found: string, option: string): ApiError {
  const shown = JSON.stringify(found.slice(0, 100));
  const hint = `if it is yours, start the server with ${option}`;
  return new ApiError(403, `${what}: ${shown} may not ask this server; ${hint}`, { code: `${what}_not_allowed` });
}
