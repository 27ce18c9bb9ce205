// Who may ask, by the names that browsers give: a page of another site must not read answers by giving its own name this
// machine's address (DNS rebinding), nor by asking from its own origin. Programs that are no browsers are not hindered.

import { isIP, isIPv4, isIPv6 } from "node:net";
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
    const [target = ""] = /^https?:\/\/[^/?#]+/i.exec(c.req.url) ?? []; // a request may name another host in its first line
    const named = nameOf(target);
    if (named === undefined || !isAllowed(named)) throw refused("host", target, "--allowed-hosts");
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
  const bare = withoutBrackets(name);
  if (isIPv4(bare)) return bare.startsWith("127.");
  if (!isIPv6(bare)) return /^([^.]+\.)*localhost$/i.test(name);
  return bare.includes("%") ? false : /^\[::(1|ffff:7f[\da-f]{2}:[\da-f]{1,4})\]$/.test(shortAddress(bare));
}

function isAddress(name: string): boolean {
  return isIP(withoutBrackets(name)) !== 0;
}

function withoutBrackets(name: string): string {
  return name.replace(/^\[(.*)\]$/, "$1");
}

/** An IPv6 address as browsers write it, in brackets: `[::1]`, `[::ffff:7f00:1]`. */
function shortAddress(address: string): string {
  return new URL(`http://[${address}]`).hostname;
}

/** A host as browsers write it: an IPv6 address in its shortest form, no colon without a port. Others stay. */
export function canonicalHost(host: string): string {
  const [, address, rest] = /^\[([\da-f:.]+)\](.*)$/i.exec(host) ?? [];
  const short = address !== undefined && isIPv6(address) ? shortAddress(address) + rest : host;
  return short.replace(/(?<=[^:]):$/, "");
}

/** The name in an origin or a host, in small letters and without a port; undefined where there is none. */
function nameOf(url: string): string | undefined {
  const found = /^https?:\/\/(\[[\da-f:.]+\]|[^\s:/?#@\\[\]]+)(?::\d*)?$/i.exec(url)?.[1];
  return found?.toLowerCase().replace(/\.$/, "");
}

function refused(what: "host" | "origin", found: string, option: string): ApiError {
  const shown = JSON.stringify(found.slice(0, 100));
  const hint = `if it is yours, start the server with ${option}`;
  return new ApiError(403, `${what}: ${shown} may not ask this server; ${hint}`, { code: `${what}_not_allowed` });
}
