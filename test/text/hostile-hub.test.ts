// A hub that does not answer, never ends, or sends something else than it announced: each is an error, soon.

import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { InputError } from "../../src/error.ts";
import { openUrl } from "../../src/files/url-source.ts";
import { openSource } from "../../src/text/source.ts";
import { collect } from "./collect.ts";

interface Asked {
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly response: ServerResponse;
}

/** A server that answers as `answer` does, until the running test is over; its address. */
async function server(answer: (asked: Asked) => void): Promise<string> {
  const made = createServer((request, response) => {
    const { range, authorization } = request.headers;
    answer({ url: request.url as string, range, authorization, response });
  });
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    made.closeAllConnections();
    made.close();
  });
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
}

const text = Buffer.from('{"text":"one"}\n{"text":"two"}\n');
const sha256 = createHash("sha256").update(text).digest("hex");
const list = (response: ServerResponse, file: object = {}) =>
  response.end(JSON.stringify([{ type: "file", path: "a.jsonl", size: text.length, oid: "x", ...file }]));

/** Gives the file, or what `whole` makes of the answer that is not a range. */
function give({ range, response }: Asked, whole: () => void = () => response.end(text)): void {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  response.setHeader("etag", '"1"');
  if (start === undefined) {
    whole();
    return;
  }
  const until = Math.min(Number(end) + 1, text.length);
  response
    .writeHead(206, { "content-range": `bytes ${start}-${until - 1}/${text.length}` })
    .end(text.subarray(Number(start), until));
}

/** Short for a server that is to be given up, long for one that is only slow here. */
const limitsFor = (message: RegExp) => {
  const ms = message.source.includes("within") ? 300 : 60_000;
  return { answerMs: ms, stallMs: ms };
};
const read = (hubUrl: string, more: object = {}) =>
  collect(openSource("hf:owner/data", { hubUrl, ...more }).documents());
const isList = ({ url }: Asked) => url.startsWith("/api/");

describe("a dataset of a hub", () => {
  test.each([
    ["its SHA-256", { lfs: { oid: sha256, size: text.length, pointerSize: 1 } }],
    ["git's name for it", { oid: createHash("sha1").update(`blob ${text.length}\0`).update(text).digest("hex") }],
    ["nothing", {}],
  ])("is read where the hub announced %s", async (_, file) => {
    const url = await server((asked) => (isList(asked) ? list(asked.response, file) : give(asked)));
    expect(await read(url)).toEqual(["one", "two"]);
  });

  test.each<[string, (asked: Asked) => void, RegExp]>([
    ["does not answer", () => {}, /does not answer within 0\.3 s/],
    [
      "stops in the middle of its list",
      ({ response }) => response.writeHead(200, { "content-type": "application/json" }).write("[{"),
      /sends nothing more within 0\.3 s/,
    ],
    ["lists what is no JSON", ({ response }) => response.end("<html>"), /cannot be read from the hub: .*JSON/],
    ["lists what is no list", ({ response }) => response.end('{"a":1}'), /cannot be read from the hub/],
    ["lists a file without a size", ({ response }) => list(response, { size: "x" }), /a\.jsonl would have x bytes/],
    [
      "lists pages in a circle",
      ({ response }) => {
        response.setHeader("link", '</api/datasets/owner/data/tree/main?again>; rel="next"');
        list(response);
      },
      /cannot be read from the hub|goes in a circle/,
    ],
    [
      "has a file of another size",
      (asked) => (isList(asked) ? list(asked.response, { size: 7 }) : give(asked)),
      /has 30 bytes, the hub lists 7/,
    ],
    [
      "has a file with other bytes",
      (asked) => (isList(asked) ? list(asked.response, { lfs: { oid: "0".repeat(64) } }) : give(asked)),
      /its bytes hash to [0-9a-f]{12}…, the hub announced 000000000000…/,
    ],
    [
      "sends more than it announced",
      (asked) =>
        isList(asked) ? list(asked.response) : give(asked, () => asked.response.end(Buffer.concat([text, text]))),
      /is longer than the 30 bytes that were announced/,
    ],
    [
      "sends less than it announced",
      (asked) => (isList(asked) ? list(asked.response) : give(asked, () => asked.response.end(text.subarray(0, 15)))),
      /ends 15 bytes early/,
    ],
    [
      "stops in the middle of a file",
      (asked) => {
        if (isList(asked)) list(asked.response);
        else give(asked, () => void asked.response.writeHead(200, { "content-length": text.length }).write("{"));
      },
      /sends nothing more within 0\.3 s/,
    ],
    [
      "breaks off in the middle of a file",
      (asked) => {
        if (isList(asked)) list(asked.response);
        else
          give(asked, () => {
            asked.response.writeHead(200, { "content-length": text.length }).write('{"text":"one"}\n');
            setTimeout(() => asked.response.destroy(), 30);
          });
      },
      /cannot be read from the hub/,
    ],
    [
      "redirects for ever",
      (asked) => {
        if (isList(asked)) list(asked.response);
        else asked.response.writeHead(302, { location: `${asked.url}x` }).end();
      },
      /cannot be read from the hub: .*redirect/,
    ],
  ])("that %s is refused", async (_, answer, message) => {
    const error = await read(await server(answer), limitsFor(message)).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });

  test("whose list never ends is refused", async () => {
    let pages = 0;
    const url: string = await server(({ response }) => {
      response.setHeader("link", `<${url}/api/datasets/owner/data/tree/main?page=${++pages}>; rel="next"`);
      response.end("[]");
    });
    await expect(read(url)).rejects.toThrow(/more than 2000 pages; give a path prefix/);
    const circle: string = await server(({ response }) => {
      response.setHeader("link", `<${circle}/api/datasets/owner/data/tree/main?page=1>; rel="next"`);
      response.end("[]");
    });
    await expect(read(circle)).rejects.toThrow(/goes in a circle/);
  });

  test("that sends its reader elsewhere does not make it tell its access token there", async () => {
    const told: (string | undefined)[] = [];
    const elsewhere = await server(({ response, authorization }) => {
      told.push(authorization);
      response.end("[]");
    });
    const url = await server(({ response, authorization }) => {
      told.push(authorization);
      response.setHeader("link", `<${elsewhere}/more>; rel="next"`);
      list(response, { path: "a.png" });
    });
    await expect(read(url, { accessToken: "hf_secret" })).rejects.toThrow(/no file ends in/);
    expect(told).toEqual(["Bearer hf_secret", undefined]);
  });
});

describe("a URL", () => {
  test.each<[string, (asked: Asked) => void, RegExp]>([
    ["does not answer", () => {}, /does not answer within 0\.3 s/],
    [
      "gives other bytes than asked for",
      ({ range, response }) => {
        const isFirst = range === "bytes=0-0";
        response
          .writeHead(206, { "content-range": `bytes 0-${isFirst ? 0 : 9}/30` })
          .end(text.subarray(0, isFirst ? 1 : 10));
      },
      /gave "bytes 0-9\/30" for the bytes from 10/,
    ],
    [
      "gives more bytes than asked for",
      ({ range, response }) => {
        if (range === "bytes=0-0") response.writeHead(206, { "content-range": "bytes 0-0/30" }).end("{");
        else response.writeHead(206, { "content-range": "bytes 10-19/30" }).end(Buffer.alloc(1 << 20));
      },
      /sends more than the 10 bytes that it may/,
    ],
    [
      "stops",
      ({ range, response }) => {
        if (range === "bytes=0-0") response.writeHead(206, { "content-range": "bytes 0-0/30" }).end("{");
        else response.writeHead(206, { "content-range": "bytes 10-19/30" }).write("a");
      },
      /sends nothing more within 0\.3 s/,
    ],
  ])("that %s is refused", async (_, answer, message) => {
    const reading = openUrl(`${await server(answer)}/file`, limitsFor(message)).then((source) => source.read(10, 20));
    const error = await reading.catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
  });
});
