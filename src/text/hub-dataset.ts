// A dataset on the Hugging Face hub, or what stands in for it: which files it has, and their bytes. Knows not what is
// in them.

import { downloadFile, HubApiError, listFiles } from "@huggingface/hub";
import { InputError } from "../error.ts";
import { blobFile, type StoredFile } from "../files/byte-source.ts";
import { documentKinds, holdsDocuments } from "./documents.ts";

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
    const { signal } = options;
    this.#access = {
      repo: { type: "dataset", name: this.#name },
      ...(hubUrl ? { hubUrl } : {}),
      ...(accessToken ? { accessToken } : {}),
      fetch: (url, init) => fetch(url, { ...init, ...(signal ? { signal } : {}) }),
    };
  }

  /** The files that hold documents and whose path begins with the prefix, sorted. */
  async files(): Promise<HubFile[]> {
    const folder = this.#prefix.slice(0, Math.max(0, this.#prefix.lastIndexOf("/")));
    const files: HubFile[] = [];
    let others = 0;
    try {
      const listing = listFiles({
        ...this.#access,
        revision: encodeURIComponent(this.#revision),
        recursive: true,
        ...(folder ? { path: folder } : {}),
      });
      for await (const { type, path, size, oid = "" } of listing) {
        if (type !== "file" || !path.startsWith(this.#prefix)) continue;
        if (holdsDocuments(path)) files.push({ path, size, oid });
        else others++;
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

  /** A file's bytes, read as they are asked for. */
  async open({ path }: HubFile): Promise<StoredFile> {
    const name = `hf:${this.#name}@${this.#revision}:${path}`;
    try {
      const blob = await downloadFile({ ...this.#access, path, revision: this.#revision });
      if (blob) return blobFile(name, blob);
    } catch (cause) {
      throw this.#explained(cause);
    }
    throw new InputError(`source: ${name}: the hub lists it but does not have it`);
  }

  #explained(cause: unknown): unknown {
    if (!(cause instanceof HubApiError) || cause.statusCode < 400 || cause.statusCode >= 500) return cause;
    const advice: Record<number, string> = {
      401: "it does not exist, or needs an access token (HF_TOKEN)",
      403: "the access token may not read it",
      404: `no such dataset, revision (${this.#revision}) or path`,
    };
    const why = advice[cause.statusCode] ?? cause.message;
    return new InputError(`source: "${this.#spec}": the hub answered ${cause.statusCode}: ${why}`, { cause });
  }
}
