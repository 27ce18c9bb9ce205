// How much a server takes on, and where it listens: its options, declared once.

import { z } from "zod";
import { bytesOf, memoryAmount } from "../plan/memory-amount.ts";

/** The options with their defaults; memory becomes bytes. */
export const serveSchema = z.object({
  port: z.int().min(0).max(65535).default(8000).describe("0 takes a free one"),
  host: z.string().default("127.0.0.1").describe("0.0.0.0 lets other machines in; then set a key"),
  /** Most bytes of a body. */
  maxBody: memoryAmount.default("4MiB").transform(bytesOf).describe("largest body of a request"),
  /** Most texts of a model that run or wait. */
  maxQueue: z.int().min(1).default(256).describe("most texts of a model that run or wait; more are answered 429"),
  /** Most models that are loaded at one time. */
  maxLoaded: z.int().min(1).max(64).default(4).describe("most models in memory at one time"),
  /** Milliseconds in which a reader must take what was sent. */
  patience: z.number().positive().default(30_000).describe("milliseconds in which a reader must take what was sent"),
});

/** What a server's options may be. */
export type ServeOptions = Readonly<z.input<typeof serveSchema>>;
