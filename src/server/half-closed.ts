// Clients that have closed their half of a connection: they may have left, or wait for their answer. Both look the same until
// something is sent: who waits reads it, who has gone refuses it, and the second time we are told of that.

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Milliseconds until such a client is first asked whether it still listens, until the second time, and to the next pair. */
const asking = { afterMs: 60, againMs: 20, everyMs: 500 };

/** HTTP/1.0 has few questions, so each pair waits so many times as long as the one before. */
const slower = 8;

/** What every answer begins with, whatever it will say. */
const beginning = "HTTP/1.1 ";

/** Asks, as long as the connection has open answers of which nothing was sent. Gives what ends it. */
export function askWhetherHeard(socket: Socket, open: ReadonlySet<ServerResponse>): () => void {
  const early = new EarlyBytes(socket);
  let [timer, count, every]: [NodeJS.Timeout | undefined, number, number] = [undefined, 0, asking.everyMs];
  const ask = () => {
    const [first] = open;
    const isOld = first?.req.httpVersion === "1.0";
    for (const response of isOld ? [] : open) if (!response.headersSent) response.writeProcessing();
    if (isOld && !first?.headersSent) early.send();
    const isPair = ++count % 2 === 0;
    timer = setTimeout(ask, isPair ? every : asking.againMs).unref();
    if (isPair && isOld) every *= slower;
  };
  timer = setTimeout(ask, asking.afterMs).unref();
  return () => clearTimeout(timer);
}

/** The beginning of an answer, sent before the rest of it is known: HTTP/1.0 has no interim answers (102) to send instead. */
class EarlyBytes {
  readonly #socket: Socket;
  #sent = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Sends a byte more, if there is one: each is left out of what is written later. */
  send(): void {
    if (this.#sent === beginning.length) return;
    const { write } = Object.getPrototypeOf(this.#socket) as Socket;
    if (this.#sent === 0) {
      this.#socket.write = (data: string | Uint8Array, ...rest: unknown[]) => {
        Reflect.deleteProperty(this.#socket, "write");
        const left = typeof data === "string" ? data.slice(this.#sent) : data.subarray(this.#sent);
        return Reflect.apply(write, this.#socket, [left, ...rest]);
      };
    }
    write.call(this.#socket, beginning[this.#sent++] as string);
  }
}
