// The application on a socket: timeouts of Node's HTTP server, and an end that lets open requests finish.

import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { InputError } from "../error.ts";
import { type AppOptions, serverApp } from "./app.ts";

/** Where to listen. */
export interface ListenOptions extends Omit<AppOptions, "draining"> {
  /** 0 takes a free one. */
  readonly port: number;
  readonly host: string;
}

/** Milliseconds for the headers of a request, for all of it, and between requests on one connection. */
const timeouts = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 15_000 };

/** A server that listens. */
export class HttpServer {
  readonly url: string;
  readonly #server: Server;
  readonly #state: { draining: boolean };
  readonly #app: Disposable;
  readonly #sockets = new Map<Socket, number>(); // and how many requests are open on each

  private constructor(server: Server, app: Disposable, state: { draining: boolean }) {
    const { address, port, family } = server.address() as AddressInfo;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
    this.#server = server;
    this.#app = app;
    this.#state = state;
    const count = (socket: Socket, change: number) => {
      const open = this.#sockets.get(socket);
      if (open !== undefined) this.#sockets.set(socket, open + change);
    };
    server.on("connection", (socket) => {
      this.#sockets.set(socket, 0);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("request", ({ socket }, response) => {
      count(socket, 1);
      response.once("close", () => count(socket, -1));
    });
  }

  /** Starts. @throws InputError if the address cannot be had. */
  static async listen({ port, host, ...options }: ListenOptions): Promise<HttpServer> {
    const state = { draining: false };
    const app = serverApp({ ...options, draining: () => state.draining });
    const server = createServer({ ...timeouts, connectionsCheckingInterval: 1000 }, getRequestListener(app.fetch));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        app[Symbol.dispose]();
        const taken = error.code === "EADDRINUSE" ? "is in use; choose another with --port" : error.message;
        reject(new InputError(`serve: ${host}:${port} ${taken}`));
      });
      server.listen(port, host, resolve);
    });
    return new HttpServer(server, app, state);
  }

  /** Takes no more completions and waits for the open ones, at most `timeout` ms; true if all finished in time. */
  async drain(timeout: number): Promise<boolean> {
    this.#state.draining = true;
    const closed = new Promise<boolean>((resolve) => this.#server.close(() => resolve(true)));
    // Node's own sweep spares connections that never sent anything, as browsers and load balancers keep them.
    const sweep = setInterval(() => {
      for (const [socket, open] of this.#sockets) if (open === 0) socket.destroy();
    }, 50);
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, timeout, false).unref());
    const finished = await Promise.race([closed, late]);
    this.#server.closeAllConnections();
    await closed;
    clearInterval(sweep);
    this.#app[Symbol.dispose]();
    return finished;
  }
}
