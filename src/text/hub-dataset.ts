// A dataset on the Hugging Face hub, or what stands in for it: which files it has, and their bytes, which are held to what
// the hub announces of them. Knows not what is in them.

import { createHash } from "node:crypto";
import { downloadFile, HubApiError, listFiles } from "@huggingface/hub";
import { InputError } from "../error.ts";
import { boundedFetch, type FetchLimits, failureOf, isAbort } from "../files/bounded-fetch.ts";
import { blobFile, type StoredFile } from "../files/byte-source.ts";
import { documentKinds, holdsDocuments } from "./documents.ts";

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
const largestPage = 2 ** 26;

/** A dataset at a revision. */
export class HubDataset {
  readonly #spec: string;
  readonly #name: string;
  readonly #revision: string;
  readonly #prefix: string;
  readonly #access: { repo: { type: "dataset"; name: string }; hubUrl?: string; accessToken?: string } & {
    fetch: typeof fetch;
  };

  /**
   * @param spec `hf:owner/name[@revision][:path-prefix]`
   * @throws InputError where it is anything else.
   */
  constructor(spec: string, options: HubOptions = {}) {
    const match = /^hf:([\w.-]+\/[\w.-]+)(?:@([^:]+))?(?::(.+))?$/.exec(spec);
    if (!match) {
      throw new InputError(`source: "${spec}": a dataset of the hub is hf:owner/dataset[@revision][:path-prefix]`);
    }
    this.#spec = spec;
    this.#name = match[1] as string;
    this.#revision = match[2] ?? "main";
    this.#prefix = match[3] ?? "";
    const hubUrl = (options.hubUrl ?? process.env.HF_ENDPOINT)?.replace(/\/+$/, "");
    const accessToken = options.accessToken ?? process.env.HF_TOKEN;
    if (accessToken && !accessToken.startsWith("hf_")) {
      throw new InputError(`source: "${spec}": an access token of the hub begins with hf_; the one given does not`);
    }
    const { signal = null, answerMs, stallMs } = options;
    const limits = { ...(answerMs && { answerMs }), ...(stallMs && { stallMs }) };
    this.#access = {
      repo: { type: "dataset", name: this.#name },
      ...(hubUrl ? { hubUrl } : {}),
      ...(accessToken ? { accessToken } : {}),
      fetch: (url, init) => {
        const headers = new Headers(init?.headers);
        const isList = headers.get("accept") === "application/json";
        if (accessToken && originOf(url) !== originOf(hubUrl ?? publicHub)) {
          const own = headers.get("authorization") === `Bearer ${accessToken}`; // not what a store of files is asked with
          if (own) headers.delete("authorization");
        }
        return boundedFetch(
          url,
          { ...init, headers, signal },
          { ...limits, ...(isList && { mostBytes: largestPage }) },
        );
      },
    };
  }

  /** The files that hold documents and whose path begins with the prefix, sorted. */
  async files(): Promise<HubFile[]> {
    const folder = this.#prefix.slice(0, Math.max(0, this.#prefix.lastIndexOf("/")));
    const files: HubFile[] = [];
    let others = 0;
    const pages = new Set<string>();
    const fetchPage: typeof fetch = (url, init) => {
      const page = String(url);
      if (pages.has(page)) throw new InputError(`source: "${this.#spec}": the hub's list of files goes in a circle`);
      if (pages.size === mostPages) {
        throw new InputError(
          `source: "${this.#spec}": the hub's list of files has more than ${mostPages} pages; give a path prefix`,
        );
      }
      pages.add(page);
      return this.#access.fetch(url, init);
    };
    try {
      const listing = listFiles({
        ...this.#access,
        fetch: fetchPage,
        revision: encodeURIComponent(this.#revision),
        recursive: true,
        ...(folder ? { path: folder } : {}),
      });
      for await (const { type, path, size, oid = "", lfs } of listing) {
        if (type !== "file" || typeof path !== "string" || !path.startsWith(this.#prefix)) continue;
        if (!holdsDocuments(path)) {
          others++;
          continue;
        }
        if (!Number.isSafeInteger(size) || size < 0) throw new Error(`${path} would have ${size} bytes`);
        const sha256 = /^[0-9a-f]{64}$/.exec(String(lfs?.oid))?.[0];
        files.push({ path, size, oid: String(oid), ...(sha256 !== undefined && { sha256 }) });
      }
    } catch (cause) {
      throw this.#explained(cause);
    }
    if (files.length === 0) {
      throw new InputError(
        `source: "${this.#spec}": no file ends in ${documentKinds.join(", ")} (${others} others do not); ` +
          "datasets that have none often have parquet files at @refs/convert/parquet",
      );
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** A file's bytes, read as they are asked for. @throws InputError where it is not as long as it was announced. */
  async open(file: HubFile): Promise<StoredFile> {
    const { path } = file;
    const name = `hf:${this.#name}@${this.#revision}:${path}`;
    let blob: Blob | null;
    try {
      blob = await downloadFile({ ...this.#access, path, revision: this.#revision });
    } catch (cause) {
      throw this.#explained(cause);
    }
    if (!blob) throw new InputError(`source: ${name}: the hub lists it but does not have it`);
    if (blob.size !== file.size) {
      throw new InputError(`source: ${name}: has ${blob.size} bytes, the hub lists ${file.size}; try again later`);
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
          yield* checkedBytes(stored, file);
        } catch (cause) {
          throw explained(cause);
        }
      },
    };
  }

  #explained(cause: unknown): unknown {
    if (cause instanceof InputError || isAbort(cause)) return cause;
    const where = `source: "${this.#spec}"`;
    if (!(cause instanceof HubApiError)) {
      const why = typeof cause === "string" ? cause : failureOf(cause); // the library gives a stream its message alone
      return new InputError(`${where}: cannot be read from the hub: ${why}`, { cause });
    }
    const advice: Record<number, string> = {
      401: "it does not exist, or needs an access token (HF_TOKEN)",
      403: "the access token may not read it",
      404: `no such dataset, revision (${this.#revision}) or path`,
      429: "it was asked too often; try again later",
    };
    if (cause.statusCode >= 500) return cause; // the hub's mistake
    const why = advice[cause.statusCode] ?? cause.message;
    return new InputError(`${where}: the hub answered ${cause.statusCode}: ${why}`, { cause });
  }
}

const publicHub = "https://huggingface.co";

function originOf(url: string | URL | Request): string {
  return new URL(url instanceof Request ? url.url : String(url)).origin;
}

/** The bytes of a file, held at their end to the hash that the hub announced: SHA-256, or the name git gives a blob. */
async function* checkedBytes(stored: StoredFile, { sha256, oid, size }: HubFile): AsyncGenerator<Uint8Array> {
  const announced = sha256 ?? (/^[0-9a-f]{40}$/.test(oid) ? oid : undefined);
  const hash = createHash(sha256 === undefined ? "sha1" : "sha256");
  if (sha256 === undefined) hash.update(`blob ${size}\0`);
  for await (const bytes of stored.stream()) {
    hash.update(bytes);
    yield bytes;
  }
  const found = hash.digest("hex");
  if (announced !== undefined && found !== announced) {
    throw new InputError(
      `source: ${stored.name}: its bytes hash to ${found.slice(0, 12)}…, the hub announced ${announced.slice(0, 12)}…; try again`,
    );
  }
}
