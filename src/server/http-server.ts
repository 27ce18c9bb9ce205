// The application on a socket: timeouts of Node's HTTP server, clients that close their half of a connection, what is no
// HTTP, and an end that lets open requests finish.

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { InputError } from "../error.ts";
import { ApiError, apiError } from "./api-error.ts";
import { type AppOptions, serverApp } from "./app.ts";
import { askWhetherHeard } from "./half-closed.ts";
import { canonicalHost } from "./host-check.ts";
import { oneAtATime } from "./pipelining.ts";
import type { ServerLog } from "./server-log.ts";

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
  readonly #sockets = new Map<Socket, Set<ServerResponse>>(); // and what is open on each

  private constructor(server: Server, app: Disposable, state: { draining: boolean }, logger: ServerLog) {
    const { address, port, family } = server.address() as AddressInfo;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
    this.#server = server;
    this.#app = app;
    this.#state = state;
    server.on("connection", (socket) => this.#take(socket));
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      // What comes after whole requests waits for their answers, or would be taken for one of these.
      const open = [...(this.#sockets.get(socket) ?? [])];
      const last = open.every(({ req }) => req.complete) ? open.at(-1) : undefined;
      if (last) last.once("close", () => refuse(error, socket, logger));
      else refuse(error, socket, logger);
    });
    server.on("request", ({ socket }, response) => {
      const open = this.#sockets.get(socket);
      open?.add(response);
      response.once("close", () => open?.delete(response));
    });
  }

  /** Starts. @throws InputError if the address cannot be had. */
  static async listen({ port, ...options }: ListenOptions): Promise<HttpServer> {
    const { host, logger } = options;
    const state = { draining: false };
    const app = serverApp({ ...options, draining: () => state.draining });
    const errorHandler = (error: unknown) => {
      if (!(error instanceof RequestError)) {
        logger.error({ err: error }, "failed");
        return apiError(error).response;
      }
      logger.info({ status: 400, problem: error.message }, "no request");
      return new ApiError(400, `is no request: ${error.message}`).response;
    };
    const listener = getRequestListener(app.fetch, { hostname: "localhost", errorHandler }); // as HTTP/1.0 need not say
    const answer = oneAtATime((request, response) => {
      const { headers } = request;
      if (headers.host !== undefined) headers.host = canonicalHost(headers.host); // the listener takes no other form
      return listener(request, response);
    });
    const server = createServer({ ...timeouts, connectionsCheckingInterval: 1000 }, answer);
    Object.assign(server, { httpAllowHalfOpen: true }); // an option that Node's types lack
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        app[Symbol.dispose]();
        const taken = error.code === "EADDRINUSE" ? "is in use; choose another with --port" : error.message;
        reject(new InputError(`serve: ${host}:${port} ${taken}`));
      });
      server.listen(port, host, resolve);
    });
    return new HttpServer(server, app, state, logger);
  }

  /** Takes no more completions and waits for the open ones, at most `timeout` ms; true if all finished in time. */
  async drain(timeout: number): Promise<boolean> {
    this.#state.draining = true;
    const closed = new Promise<boolean>((resolve) => this.#server.close(() => resolve(true)));
    // Node's own sweep spares connections that never sent anything, as browsers and load balancers keep them.
    const sweep = setInterval(() => {
      for (const [socket, open] of this.#sockets) if (open.size === 0) socket.destroy();
    }, 50);
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, timeout, false).unref());
    const finished = await Promise.race([closed, late]);
    this.#server.closeAllConnections();
    await closed;
    clearInterval(sweep);
    this.#app[Symbol.dispose]();
    return finished;
  }

  /** Keeps a connection. */
  #take(socket: Socket): void {
    const open = new Set<ServerResponse>();
    this.#sockets.set(socket, open);
    socket.once("end", () => socket.once("close", askWhetherHeard(socket, open)));
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** What clients do wrong below HTTP: the status that says so. */
const statuses: Readonly<Record<string, readonly [status: string, problem: string]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "the headers are too large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Payload Too Large", "the chunk extensions are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request did not come in time"],
};

/** Answers what is no HTTP, as far as an answer can still be sent, and notes it. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, logger: ServerLog): void {
  const { code = "", message } = error;
  const [status, problem] = statuses[code] ?? ["400 Bad Request", `is no HTTP: ${message}`];
  if (code !== "ECONNRESET") logger.info({ status: Number(status.slice(0, 3)), code, problem: message }, "no request");
  const answering = (socket as { _httpMessage?: ServerResponse })._httpMessage; // Node's own default looks at it too
  if (!socket.writable || answering?.headersSent) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ error: { message: problem, type: "invalid_request_error", param: null, code: null } });
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`, () => socket.destroy());
}
