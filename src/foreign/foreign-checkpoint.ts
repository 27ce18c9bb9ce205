// What import reads, whatever it is a file of: tensors that are read in ranges, and all that makes a model of them. Knows no
// format.

import type { StoredType } from "../checkpoint/safetensors-header.ts";
import type { TextSettings } from "../checkpoint/text-settings.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Layout } from "./layout.ts";

/** A tensor of another project's checkpoint. */
export interface ForeignTensor {
  /** Where it lies, for messages. */
  readonly file: string;
  /** What `read` gives its numbers as, and what a run keeps them as. */
  readonly stored: StoredType;
  readonly shape: readonly number[];
  /**
   * The bytes of rows `from` until before `to`, each of all that follows the first axis, in memory of their own.
   * @throws InputError if the file ends before.
   */
  read(from: number, to: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A model of another project, open for reading. */
export interface ForeignCheckpoint extends AsyncDisposable {
  /** What messages call it: a path, or a name on the hub. */
  readonly name: string;
  /** What the model is called. */
  readonly title: string;
  /** Its `model_type`, or what stands for it. */
  readonly type: string;
  readonly model: ModelConfig;
  readonly layout: Layout;
  readonly tensors: ReadonlyMap<string, ForeignTensor>;
  /** A tokenizer.json. */
  readonly tokenizer: unknown;
  readonly texts: TextSettings;
  /** Its chats as a Jinja template. */
  readonly chatTemplate: string | undefined;
  /** What is left out or taken otherwise than the files say, in sentences. */
  readonly notes: readonly string[];
}
