// A repository on the Hugging Face hub, or on what stands in for it: which files it has, and their bytes. Knows not what is
// in them.

import { downloadFile, HubApiError, listFiles } from "@huggingface/hub";
import { InputError } from "../error.ts";
import { blobFile, type StoredFile } from "./byte-source.ts";

/** Where and how to ask. */
export interface HubOptions {
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
}

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
    const { signal } = options;
    this.#access = {
      repo: { type: kind, name: this.#name },
      ...(hubUrl ? { hubUrl } : {}),
      ...(accessToken ? { accessToken } : {}),
      fetch: (url, init) => fetch(url, { ...init, ...(signal ? { signal } : {}) }),
    };
  }

  /** The files whose path begins with the prefix, as the hub lists them. @throws InputError if it refuses. */
  async files(): Promise<HubFile[]> {
    const folder = this.prefix.slice(0, Math.max(0, this.prefix.lastIndexOf("/")));
    const files: HubFile[] = [];
    try {
      const listing = listFiles({
        ...this.#access,
        revision: encodeURIComponent(this.#revision),
        recursive: true,
        ...(folder ? { path: folder } : {}),
      });
      for await (const { type, path, size, oid = "" } of listing) {
        if (type === "file" && path.startsWith(this.prefix)) files.push({ path, size, oid });
      }
    } catch (cause) {
      throw this.#explained(cause);
    }
    return files;
  }

  /** A file's bytes, read as they are asked for. */
  async open(path: string): Promise<StoredFile> {
    const name = `hf:${this.#name}@${this.#revision}:${path}`;
    try {
      const blob = await downloadFile({ ...this.#access, path, revision: this.#revision });
      if (blob) return blobFile(name, blob);
    } catch (cause) {
      throw this.#explained(cause);
    }
    throw new InputError(`${kinds[this.#kind]}: ${name}: the hub lists it but does not have it`);
  }

  #explained(cause: unknown): unknown {
    if (!(cause instanceof HubApiError) || cause.statusCode < 400 || cause.statusCode >= 500) return cause;
    const advice: Record<number, string> = {
      401: "it does not exist, or needs an access token (HF_TOKEN)",
      403: "the access token may not read it",
      404: `no such ${this.#kind}, revision (${this.#revision}) or path`,
    };
    const why = advice[cause.statusCode] ?? cause.message;
    const text = `${kinds[this.#kind]}: "${this.spec}": the hub answered ${cause.statusCode}: ${why}`;
    return new InputError(text, { cause });
  }
}
