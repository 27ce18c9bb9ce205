// A web server of one file, with or without ranges, that counts what it sends.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What the server gives; a test may change it meanwhile. */
export interface Served {
  bytes: Uint8Array;
  etag: string;
  /** Whether it gives ranges. */
  ranges: boolean;
  /** Bytes fewer than asked for. */
  short: number;
  /** The bytes sent so far. */
  sent: number;
}

/** Serves `bytes` at the address returned, until the running test is over; anything but `/file` is not found. */
export async function rangeServer(bytes: Uint8Array): Promise<{ url: string; served: Served }> {
  const served: Served = { bytes, etag: '"1"', ranges: true, short: 0, sent: 0 };
  const server = createServer((request, response) => {
    const { bytes, etag, ranges, short } = served;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (request.url !== "/file") {
      response.writeHead(404).end();
    } else if (!ranges || from === undefined) {
      response.writeHead(200).end(bytes);
    } else if (Number(from) >= bytes.length) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    } else {
      const end = Math.min(Number(to) + 1, bytes.length);
      const part = bytes.subarray(Number(from), Math.max(Number(from), end - short));
      served.sent += part.length;
      response.writeHead(206, { "content-range": `bytes ${from}-${end - 1}/${bytes.length}`, etag }).end(part);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`, served };
}
