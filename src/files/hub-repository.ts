// A repository on the Hugging Face hub, or on a server in its place: the files it has and their bytes, which are checked
// against what the hub announces. Does not know what is in them.

import { createHash } from "node:crypto";
import { downloadFile, HubApiError, listFiles } from "@huggingface/hub";
import { InputError } from "../error.ts";
import { boundedFetch, type FetchLimits, failureOf, isAbort } from "./bounded-fetch.ts";
import { blobFile, type StoredFile } from "./byte-source.ts";

/** Where and how to ask, and how long to wait. */
export interface HubOptions extends Omit<FetchLimits, "mostBytes"> {
  /** The hub's address; `HF_ENDPOINT` of the environment, or the public hub, if not given. */
  hubUrl?: string;
  /** `HF_TOKEN` of the environment if not given. */
  accessToken?: string;
  signal?: AbortSignal;
}

/** A file as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Changes when the file does. */
  readonly oid: string;
  /** The SHA-256 of its bytes, where the hub tells it. */
  readonly sha256?: string;
}

/** The most pages of a listing, and bytes of each. */
const mostPages = 2000;
const largestPageBytes = 2 ** 26;

/** Where the library looks if it is not told. */
const publicHub = "https://huggingface.co";

/** What repositories hold, and what begins a message about one. */
const kinds = { dataset: "source", model: "import" } as const;

/** A repository at a revision. */
export class HubRepository {
  readonly spec: string;
  /** What the spec says after the last colon; empty if nothing. */
  readonly prefix: string;
  readonly #kind: keyof typeof kinds;
  readonly #name: string;
  readonly #revision: string;
  readonly #listed = new Map<string, HubFile>(); // by path
  readonly #access: { repo: { type: keyof typeof kinds; name: string }; hubUrl?: string; accessToken?: string } & {
    fetch: typeof fetch;
  };

  /**
   * @param spec `hf:owner/name[@revision][:path-prefix]`
   * @throws InputError where it is anything else.
   */
  constructor(kind: keyof typeof kinds, spec: string, options: HubOptions = {}) {
    const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([^:]+))?(?::(.+))?$/.exec(spec);
    const problem = (text: string) => new InputError(`${kinds[kind]}: "${spec}": ${text}`);
    if (!match) throw problem(`a ${kind} of the hub is hf:owner/${kind}[@revision][:path-prefix]`);
    this.spec = spec;
    this.#kind = kind;
    this.#name = match[1] as string;
    this.#revision = match[2] ?? "main";
    this.prefix = match[3] ?? "";
    const hubUrl = (options.hubUrl ?? process.env.HF_ENDPOINT)?.replace(/\/+$/, "");
    const accessToken = options.accessToken ?? process.env.HF_TOKEN;
    if (accessToken && !accessToken.startsWith("hf_")) {
      throw problem("an access token of the hub begins with hf_; the one given does not");
    }
    const { signal = null, answerMs, stallMs } = options;
    const limits = { ...(answerMs && { answerMs }), ...(stallMs && { stallMs }) };
    const own = `Bearer ${accessToken}`; // not what a store of files is asked with
    this.#access = {
      repo: { type: kind, name: this.#name },
      ...(hubUrl ? { hubUrl } : {}),
      ...(accessToken ? { accessToken } : {}),
      fetch: (url, init) => {
        const headers = new Headers(init?.headers);
        const isElsewhere = originOf(url) !== originOf(hubUrl ?? publicHub);
        if (isElsewhere && headers.get("authorization") === own) headers.delete("authorization");
        const isList = headers.get("accept") === "application/json";
        const most = isList ? { mostBytes: largestPageBytes } : {};
        return boundedFetch(url, { ...init, headers, signal }, { ...limits, ...most });
      },
    };
  }

  /** The files whose path begins with the prefix, as the hub lists them. @throws InputError if it refuses. */
  async files(): Promise<HubFile[]> {
    const folder = this.prefix.slice(0, Math.max(0, this.prefix.lastIndexOf("/")));
    const files: HubFile[] = [];
    try {
      const listing = listFiles({
        ...this.#access,
        fetch: this.#pages(),
        revision: encodeURIComponent(this.#revision),
        recursive: true,
        ...(folder ? { path: folder } : {}),
      });
      for await (const { type, path, size, oid = "", lfs } of listing) {
        if (type !== "file" || typeof path !== "string" || !path.startsWith(this.prefix)) continue;
        if (!Number.isSafeInteger(size) || size < 0) throw new Error(`${path} would have ${size} bytes`);
        const sha256 = /^[0-9a-f]{64}$/.exec(String(lfs?.oid))?.[0];
        const file = { path, size, oid: String(oid), ...(sha256 !== undefined && { sha256 }) };
        this.#listed.set(path, file);
        files.push(file);
      }
    } catch (cause) {
      throw this.#explained(cause);
    }
    return files;
  }

  /** A file's bytes, read as they are asked for. @throws InputError where they are not what the hub listed. */
  async open(path: string): Promise<StoredFile> {
    const name = `hf:${this.#name}@${this.#revision}:${path}`;
    const problem = (text: string) => new InputError(`${kinds[this.#kind]}: ${name}: ${text}`);
    let blob: Blob | null;
    try {
      blob = await downloadFile({ ...this.#access, path, revision: this.#revision });
    } catch (cause) {
      throw this.#explained(cause);
    }
    if (!blob) throw problem("the hub lists it but does not have it");
    const listed = this.#listed.get(path);
    if (listed && blob.size !== listed.size) {
      throw problem(`has ${blob.size} bytes, the hub lists ${listed.size}; try again later`);
    }
    const stored = blobFile(name, blob);
    const explained = (cause: unknown) => this.#explained(cause);
    return {
      ...stored,
      read: (start, end) =>
        stored.read(start, end).catch((cause) => {
          throw explained(cause);
        }),
      async *stream() {
        try {
          yield* listed ? checkedBytes(stored, listed, problem) : stored.stream();
        } catch (cause) {
          throw explained(cause);
        }
      },
    };
  }

  /** Fetches the pages of a listing. @throws InputError where they have no end. */
  #pages(): typeof fetch {
    const seen = new Set<string>();
    const problem = (text: string) =>
      new InputError(`${kinds[this.#kind]}: "${this.spec}": the hub's list of files ${text}`);
    return (url, init) => {
      if (seen.has(String(url))) throw problem("goes in a circle");
      if (seen.size === mostPages) throw problem(`has more than ${mostPages} pages; give a path prefix`);
      seen.add(String(url));
      return this.#access.fetch(url, init);
    };
  }

  #explained(cause: unknown): unknown {
    if (cause instanceof InputError || isAbort(cause)) return cause;
    const where = `${kinds[this.#kind]}: "${this.spec}"`;
    if (!(cause instanceof HubApiError)) {
      const why = typeof cause === "string" ? cause : failureOf(cause); // the library gives a stream its message alone
      return new InputError(`${where}: cannot be read from the hub: ${why}`, { cause });
    }
    if (cause.statusCode >= 500) return cause; // the hub's mistake
    const advice: Record<number, string> = {
      401: "it does not exist, or needs an access token (HF_TOKEN)",
      403: "the access token may not read it",
      404: `no such ${this.#kind}, revision (${this.#revision}) or path`,
      429: "it was asked too often; try again later",
    };
    const why = advice[cause.statusCode] ?? cause.message;
    return new InputError(`${where}: the hub answered ${cause.statusCode}: ${why}`, { cause });
  }
}

function originOf(url: string | URL | Request): string {
  return new URL(url instanceof Request ? url.url : String(url)).origin;
}

/** The bytes of a file, held at their end to the hash that the hub announced: SHA-256, or the name git gives a blob. */
async function* checkedBytes(
  stored: StoredFile,
  { sha256, oid, size }: HubFile,
  problem: (text: string) => InputError,
): AsyncGenerator<Uint8Array> {
  const announced = sha256 ?? (/^[0-9a-f]{40}$/.test(oid) ? oid : undefined);
  const hash = createHash(sha256 === undefined ? "sha1" : "sha256");
  if (sha256 === undefined) hash.update(`blob ${size}\0`);
  for await (const bytes of stored.stream()) {
    hash.update(bytes);
    yield bytes;
  }
  const found = hash.digest("hex");
  if (announced !== undefined && found !== announced) {
    const [is, was] = [found, announced].map((text) => `${text.slice(0, 12)}…`);
    throw problem(`its bytes hash to ${is}, the hub announced ${was}; try again`);
  }
}
