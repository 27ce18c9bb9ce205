// Requests that a client sends before it has its answers (pipelining): one of a connection is answered after another, as
// answers go out in that order anyway, and no more are read while many wait. Who sends thousands waits for itself alone.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Requests of a connection that wait, from which on nothing more is read of it. */
const mostWaiting = 16;

/** A listener that gives another the requests of each connection one at a time. */
export function oneAtATime(listener: RequestListener): RequestListener {
  const queues = new WeakMap<Socket, [IncomingMessage, ServerResponse][]>();
  const next = (socket: Socket): void => {
    const queue = queues.get(socket) as [IncomingMessage, ServerResponse][];
    const [first] = queue;
    if (!first || socket.destroyed) {
      queues.delete(socket);
      return;
    }
    first[1].once("close", () => {
      queue.shift();
      if (queue.length < mostWaiting && socket.isPaused()) socket.resume();
      next(socket);
    });
    listener(...first);
  };
  return (request, response) => {
    const { socket } = request;
    const queue = queues.get(socket);
    if (queue) {
      queue.push([request, response]);
      if (queue.length >= mostWaiting) socket.pause();
    } else {
      queues.set(socket, [[request, response]]);
      next(socket);
    }
  };
}
