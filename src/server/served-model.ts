// One model that is served: what is known of it without its weights, and its engine, which is started when first needed.

import { createHash } from "node:crypto";
import { RunDirectory } from "../checkpoint/run-directory.ts";
import { Engine } from "../generate/engine.ts";
import { type EngineOptions, engineOptions } from "../generate/engine-options.ts";
import { withContext } from "../model/config.ts";
import { kvBytesPerToken, parameterCount, unsharedTwin } from "../model/cost.ts";
import { modelName } from "../model/model-name.ts";
import { ChatTemplate } from "../text/chat-template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { ModelCard } from "./page-api.ts";

/** A model and its engine. */
export class ServedModel {
  readonly id: string;
  /** Its directory. */
  readonly run: string;
  /** Seconds since 1970 at which it was first served. */
  readonly created = Math.floor(Date.now() / 1000);
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** What tells answers of one setup from those of another: the same seed gives the same text where it is the same. */
  readonly fingerprint: string;
  /** Bytes of a cache block. */
  readonly blockBytes: number;
  /** Requests that are open. */
  requests = 0;
  /** When it was last asked, in milliseconds since the process began. */
  lastUse = 0;
  /** Bytes of keys and values that its engine has been given. */
  allotted = 0;
  readonly #options: EngineOptions;
  readonly #card: Omit<ModelCard, "loaded">;
  #engine: Engine | undefined;

  private constructor(
    { id, path, options }: { id: string; path: string; options: EngineOptions },
    parts: { tokenizer: Tokenizer; template: ChatTemplate; card: Omit<ModelCard, "loaded"> },
  ) {
    this.id = id;
    this.run = path;
    this.#options = options;
    this.tokenizer = parts.tokenizer;
    this.template = parts.template;
    this.#card = parts.card;
    this.fingerprint = `fp_${createHash("sha256").update(JSON.stringify(parts.card)).digest("hex").slice(0, 10)}`;
    this.blockBytes = parts.card.blockSize * parts.card.kvBytesPerToken;
  }

  /** Reads what can be known without weights. @throws InputError if there is no run, or its files are damaged. */
  static async open(id: string, path: string, options: EngineOptions): Promise<ServedModel> {
    const { kvDtype, weights, context, ropeScaling, blockSize } = engineOptions(options);
    const directory = await RunDirectory.open(path);
    const config = withContext(directory.config.model, context, ropeScaling);
    const tokenizer = directory.loadTokenizer();
    const { bos_token: begin, eos_token: end } = directory.texts;
    const template = new ChatTemplate(await directory.chatTemplate(), {
      begin: begin ?? tokenizer.decode(tokenizer.prefix),
      end: end ?? tokenizer.decode([tokenizer.endOfText]),
    });
    const card = {
      id,
      name: modelName(config),
      config,
      kvDtype,
      weights,
      parameters: parameterCount(config),
      kvBytesPerToken: kvBytesPerToken(config, kvDtype),
      unsharedKvBytesPerToken: kvBytesPerToken(unsharedTwin(config), kvDtype),
      blockSize,
      chat: template.own,
    };
    return new ServedModel({ id, path, options }, { tokenizer, template, card });
  }

  /** What it is. */
  get card(): ModelCard {
    return { ...this.#card, loaded: this.#engine !== undefined };
  }

  /** Its engine, if it has started. */
  get engine(): Engine | undefined {
    return this.#engine;
  }

  /** Starts the engine with so much memory. @throws InputError if its weights are missing or do not suit it. */
  async start(kvMemory: number, kvLimit: number): Promise<void> {
    this.#engine = await Engine.load(this.run, { ...this.#options, kvMemory, kvLimit });
    this.allotted = kvMemory;
  }

  /** Ends the engine. */
  async stop(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
  }

  /** Gives the engine another size of cache; one whose process has ended comes back with it. */
  async allot(kvMemory: number): Promise<void> {
    await this.#engine?.resize(kvMemory).catch(() => {});
    this.allotted = kvMemory;
  }

  /** Whether its engine answers, where it has been started. */
  get healthy(): boolean {
    return !(this.#engine && (this.#engine.failure || this.#engine.silent));
  }

  /** Starts the engine's process anew if it has ended. */
  async recover(): Promise<void> {
    if (this.#engine?.failure) await this.#engine.restart();
  }
}
