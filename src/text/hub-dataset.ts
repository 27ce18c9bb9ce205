// A dataset on the Hugging Face hub: its files of documents. Does not know what is in them.

import { InputError } from "../error.ts";
import type { StoredFile } from "../files/byte-source.ts";
import { type HubFile, type HubOptions, HubRepository } from "../files/hub-repository.ts";
import { documentKinds, holdsDocuments } from "./documents.ts";

/** A dataset at a revision. */
export class HubDataset {
  readonly #repository: HubRepository;

  /**
   * @param spec `hf:owner/name[@revision][:path-prefix]`
   * @throws InputError where it is anything else.
   */
  constructor(spec: string, options: HubOptions = {}) {
    this.#repository = new HubRepository("dataset", spec, options);
  }

  /** The files that hold documents and whose path begins with the prefix, sorted. */
  async files(): Promise<HubFile[]> {
    const all = await this.#repository.files();
    const files = all.filter(({ path }) => holdsDocuments(path));
    if (files.length === 0) {
      throw new InputError(
        `source: "${this.#repository.spec}": no file ends in ${documentKinds.join(", ")} (${all.length} others do not); ` +
          "datasets that have none often have parquet files at @refs/convert/parquet",
      );
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** A file's bytes, read as they are asked for. */
  open({ path }: HubFile): Promise<StoredFile> {
    return this.#repository.open(path);
  }
}
