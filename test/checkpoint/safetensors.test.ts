// Safetensors: round trips, the format byte by byte, and files that are not what they say.

import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeSafetensors, openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/error.ts";
import { bytesInMemory } from "../../src/files/byte-source.ts";
import { openUrl } from "../../src/files/url-source.ts";
import { allocate, bytesPer, type DType } from "../../src/tensor/dtype.ts";
import { sizeOf, type Tensor, type Tensors, tensor } from "../../src/tensor/tensor.ts";
import { rangeServer } from "../files/range-server.ts";
import { scratch } from "../files/scratch.ts";

const bytesOf = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

async function readBack(path: string, bytes: Uint8Array) {
  writeFileSync(path, bytes);
  const file = await openSafetensors(path);
  try {
    return { tensors: await file.readAll(), metadata: file.metadata, names: file.names };
  } finally {
    await file.close();
  }
}

/** A file of any header, valid or not, and `data` bytes of data. */
function fileOf(header: string | Uint8Array, data = 0): Buffer {
  const json = Buffer.from(header as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(data, 7)]);
}

const anyTensor = fc
  .tuple(
    fc.constantFrom<DType>("float32", "int32", "int64", "uint8", "int8", "bool"),
    fc.array(fc.nat(4), { maxLength: 4 }),
    fc.infiniteStream(fc.nat(255)),
  )
  .map(([dtype, shape, stream]): Tensor => {
    const data = allocate(dtype, sizeOf(shape));
    const bytes = new Uint8Array(data.buffer);
    for (let i = 0; i < bytes.length; i++) bytes[i] = stream.next().value as number;
    return { dtype, shape, data };
  });
const anyName = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("__proto__", "constructor", "0", "", 'a"b\\', "層.0"),
);

describe("round trip", () => {
  test("any tensors and metadata come back bit for bit, aligned and in one piece", async () => {
    const path = join(scratch(), "any.safetensors");
    const tensors = fc.array(fc.tuple(anyName, anyTensor), { maxLength: 6 });
    const metadata = fc.array(fc.tuple(anyName, fc.string({ unit: "binary" })), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(tensors, metadata, async (entries, strings) => {
        const given: Tensors = Object.fromEntries(entries.filter(([name]) => name !== "__metadata__"));
        const texts = Object.fromEntries(strings);
        const chunks = encodeSafetensors(given, texts);
        expect((chunks[0]?.length ?? 1) % 8).toBe(0);
        const back = await readBack(path, Buffer.concat(chunks));
        expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(texts).sort());
        expect(Object.keys(back.tensors).sort()).toEqual(Object.keys(given).sort());
        for (const [name, { dtype, shape, ...rest }] of Object.entries(given)) {
          const found = back.tensors[name] as Tensor;
          expect([found.dtype, found.shape]).toEqual([dtype, shape]);
          expect(bytesOf(found).equals(bytesOf({ dtype, shape, ...rest }))).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the bytes are those of the format", () => {
    const given = {
      b: tensor("uint8", [3], Uint8Array.of(1, 2, 3)),
      a: tensor("float32", [1, 2], Float32Array.of(1, -2)),
    };
    const header =
      '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},' +
      '"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}';
    const length = Math.ceil(header.length / 8) * 8;
    const bytes = Buffer.concat(encodeSafetensors(given, { k: "v" }));
    expect(bytes.readBigUInt64LE()).toBe(BigInt(length));
    expect(bytes.toString("latin1", 8, 8 + length)).toBe(header.padEnd(length));
    expect(bytes.subarray(8 + length).toString("hex")).toBe("0000803f000000c0010203");
  });

  test("chunks are the tensors' own memory", () => {
    const data = new Float32Array(100).subarray(10, 20);
    const chunks = encodeSafetensors({ a: tensor("float32", [10], data) });
    expect(chunks[1]?.buffer).toBe(data.buffer);
    expect([chunks[1]?.byteOffset, chunks[1]?.byteLength]).toEqual([40, 40]);
  });

  test("one tensor can be read alone, and what a file has not is said", async () => {
    const path = join(scratch(), "two.safetensors");
    const given = { a: tensor("int64", [2], BigInt64Array.of(1n, -1n)), b: tensor("bool", [], Uint8Array.of(1)) };
    writeFileSync(path, Buffer.concat(encodeSafetensors(given)));
    await using file = await openSafetensors(path);
    expect(await file.read("b")).toEqual(given.b);
    expect(file.info("a")).toMatchObject({ dtype: "int64", stored: "I64", shape: [2], begin: 0, end: 16 });
    expect(() => file.info("c")).toThrow(/two\.safetensors.*"c"/);
    expect(() => file.info("toString")).toThrow(InputError);
  });

  test.each(["F16", "BF16"])("every %s there is becomes the float32 of its value", async (stored) => {
    const header = JSON.stringify({ h: { dtype: stored, shape: [65536], data_offsets: [0, 131072] } });
    const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const bytes = Buffer.concat([fileOf(header), new Uint8Array(halves.buffer)]);
    const { h } = (await readBack(join(scratch(), "half.safetensors"), bytes)).tensors;
    const [exponentBits, fractionBits] = stored === "F16" ? [5, 10] : [8, 7];
    const bias = 2 ** (exponentBits - 1) - 1;
    for (let bits = 0; bits < 65536; bits++) {
      const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
      const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      const sign = bits & 0x8000 ? -1 : 1;
      const special = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
      const finite = sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
      const expected = exponent === 2 ** exponentBits - 1 ? special : finite;
      if (!Object.is(h?.data[bits], expected)) expect([bits, h?.data[bits]]).toEqual([bits, expected]);
    }
  });

  test("what cannot be written is refused", () => {
    expect(() => encodeSafetensors({ __metadata__: tensor("uint8", [], Uint8Array.of(0)) })).toThrow(InputError);
    expect(() => encodeSafetensors({ a: { dtype: "uint8", shape: [2], data: Uint8Array.of(0) } })).toThrow(RangeError);
  });
});

describe("files that are not right", () => {
  const entry = (dtype: unknown, shape: unknown, offsets: unknown, more = {}) => ({
    dtype,
    shape,
    data_offsets: offsets,
    ...more,
  });
  const blocked = (blocks: string, a: object) =>
    fileOf(JSON.stringify({ __metadata__: { "crosslayer.blocks": blocks }, a }), 34);
  const cases: [string, Uint8Array, RegExp][] = [
    ["an empty file", Buffer.alloc(0), /0 bytes are no safetensors/],
    ["a header longer than the file", Buffer.from("ff00000000000000", "hex"), /header of 255 bytes in a file of 8/],
    ["a header of 2⁶⁴ − 1 bytes", Buffer.alloc(64, 255), /header of 18446744073709551615 bytes/],
    ["no object", fileOf("[]"), /does not start with \{/],
    ["leading space", fileOf(" {}"), /does not start with \{/],
    ["an empty header", fileOf(""), /does not start with \{/],
    ["no JSON", fileOf("{a}"), /not JSON/],
    ["no UTF-8", fileOf(Buffer.from('{"\xff":1}', "latin1")), /not JSON in UTF-8/],
    ["a repeated tensor", fileOf('{"a":{},"b":{},"\\u0061":{}}'), /has "a" twice/],
    [
      "a repeated field",
      fileOf('{"a":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}}', 1),
      /"dtype" twice/,
    ],
    ["metadata that is no object", fileOf('{"__metadata__":[]}'), /__metadata__ must map/],
    ["metadata that is no string", fileOf('{"__metadata__":{"a":1}}'), /__metadata__ must map/],
    ["a tensor that is no object", fileOf('{"a":null}'), /tensor "a": must have/],
    ["no dtype", fileOf(JSON.stringify({ a: entry(undefined, [1], [0, 1]) }), 1), /"a".*found undefined/],
    ["an unknown dtype", fileOf(JSON.stringify({ a: entry("F64", [1], [0, 8]) }), 8), /"a".*one of F32.*found "F64"/],
    ["a dtype of Object", fileOf(JSON.stringify({ a: entry("toString", [1], [0, 1]) }), 1), /"a".*found "toString"/],
    ["a deep dtype", fileOf(`{"a":{"dtype":${"[".repeat(1e5)}${"]".repeat(1e5)}}}`), /"a".*found object/],
    ["a negative shape", fileOf(JSON.stringify({ a: entry("U8", [-1], [0, 1]) }), 1), /"a".*shape must/],
    ["a broken shape", fileOf(JSON.stringify({ a: entry("U8", [1.5], [0, 1]) }), 1), /"a".*shape must/],
    ["no shape", fileOf(JSON.stringify({ a: entry("U8", undefined, [0, 1]) }), 1), /"a".*shape must/],
    ["one offset", fileOf(JSON.stringify({ a: entry("U8", [1], [0]) }), 1), /"a".*data_offsets must/],
    ["backward offsets", fileOf(JSON.stringify({ a: entry("U8", [1], [1, 0]) }), 1), /"a".*needs 1 bytes.*hold -1/],
    ["a shape that overflows", fileOf(JSON.stringify({ a: entry("U8", [2 ** 40, 2 ** 40], [0, 1]) }), 1), /"a".*needs/],
    [
      "a shape unlike its offsets",
      fileOf(JSON.stringify({ a: entry("F32", [2], [0, 4]) }), 4),
      /needs 8 bytes.*hold 4/,
    ],
    [
      "an unknown field",
      fileOf(JSON.stringify({ a: entry("U8", [1], [0, 1], { x: 1 }) }), 1),
      /"a".*unknown field "x"/,
    ],
    ["a gap before", fileOf(JSON.stringify({ a: entry("U8", [1], [1, 2]) }), 2), /"a": leaves 1 bytes after the start/],
    [
      "a gap between",
      fileOf(JSON.stringify({ a: entry("U8", [1], [0, 1]), b: entry("U8", [1], [2, 3]) }), 3),
      /"b": leaves 1 bytes after "a"/,
    ],
    [
      "an overlap",
      fileOf(JSON.stringify({ a: entry("U8", [2], [0, 2]), b: entry("U8", [2], [1, 3]) }), 3),
      /"b": overlaps "a"/,
    ],
    [
      "blocks that are no JSON",
      blocked("{", entry("U8", [34], [0, 34])),
      /crosslayer\.blocks in __metadata__ must name/,
    ],
    ["blocks of no tensor", blocked('{"b":"Q8_0"}', entry("U8", [34], [0, 34])), /must name tensors, with Q4_0/],
    ["blocks of no type", blocked('{"a":"toString"}', entry("U8", [34], [0, 34])), /must name tensors, with Q4_0/],
    [
      "blocks of numbers",
      blocked('{"a":"Q8_0"}', entry("I8", [34], [0, 34])),
      /"a": rows of 34 I8 are not blocks of Q8/,
    ],
    ["half a block", blocked('{"a":"Q8_0"}', entry("U8", [2, 17], [0, 34])), /"a": rows of 17 U8 are not blocks of Q8/],
    ["data left over", fileOf(JSON.stringify({ a: entry("U8", [1], [0, 1]) }), 2), /1 bytes of data, the file has 2/],
    ["data missing", fileOf(JSON.stringify({ a: entry("U8", [9], [0, 9]) }), 2), /9 bytes of data, the file has 2/],
  ];
  test("blocks", async () => {
    await using file = await openSafetensors(
      bytesInMemory("memory", blocked('{"a":"Q8_0"}', entry("U8", [1, 34], [0, 34]))),
    );
    expect(file.info("a")).toMatchObject({ stored: "Q8_0", dtype: "float32", shape: [1, 32] });
    expect((await file.read("a")).data).toHaveLength(32);
  });

  test.each(cases)("%s", async (_, bytes, message) => {
    const path = join(scratch(), "wrong.safetensors");
    const error = await readBack(path, bytes).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toContain(path);
    expect(error.message).toMatch(message);
  });

  test("a missing file and a directory", async () => {
    const directory = scratch();
    await expect(openSafetensors(join(directory, "none"))).rejects.toThrow(InputError);
    await expect(openSafetensors(directory)).rejects.toThrow(/not a file/);
  });
});

describe("bytes that lie elsewhere", () => {
  const given: Tensors = {
    q: tensor(
      "float32",
      [2, 300],
      Float32Array.from({ length: 600 }, (_, i) => i / 7),
    ),
    ids: tensor("int32", [2], Int32Array.of(7, 8)),
  };
  const bytes = Buffer.concat(encodeSafetensors(given, { step: "3" }));

  test("in memory", async () => {
    await using file = await openSafetensors(bytesInMemory("memory", bytes));
    expect(await file.readAll()).toEqual(given);
    expect(file.metadata).toEqual({ step: "3" });
    await expect(openSafetensors(bytesInMemory("memory", bytes.subarray(0, 40)))).rejects.toThrow(/^memory: .*cut off/);
  });

  test("on a server, of which only the tensor that is read is fetched", async () => {
    const { url, served } = await rangeServer(bytes);
    await using file = await openSafetensors(await openUrl(url));
    expect(await file.read("ids")).toEqual(given.ids);
    expect(served.sent).toBe(1 + bytes.length - 2400); // everything but `q`
    expect(await file.read("q")).toEqual(given.q);
    served.short = 1;
    await expect(file.read("q")).rejects.toThrow(/tensor "q": http.*gave 2399 bytes/);
  });

  test("a file that shrinks while it is open names the tensor", async () => {
    const path = join(scratch(), "shrinks.safetensors");
    writeFileSync(path, bytes);
    await using file = await openSafetensors(path);
    truncateSync(path, bytes.length - 5);
    await expect(file.readAll()).rejects.toThrow(/tensor "(q|ids)": .*shrinks.*ends \d+ bytes early/);
  });
});

describe("damage", () => {
  const given: Tensors = {
    "layers.0.attn.q": tensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
    ids: tensor("int32", [2], Int32Array.of(7, 8)),
    none: tensor("uint8", [0], new Uint8Array(0)),
  };
  const whole = Buffer.concat(encodeSafetensors(given, { step: "3" }));
  const headerEnd = 8 + Number(whole.readBigUInt64LE());

  /** Reads it; whatever opens must hold every byte of data exactly once, whatever else may be wrong is an InputError. */
  async function outcome(path: string, bytes: Uint8Array, data: Buffer): Promise<"refused" | "read"> {
    try {
      const { tensors } = await readBack(path, bytes);
      const read = Object.values(tensors).map(bytesOf);
      expect(Buffer.concat(read).equals(data)).toBe(true);
      return "read";
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return "refused";
    }
  }

  test("every truncation is refused", async () => {
    const path = join(scratch(), "cut.safetensors");
    for (let length = 0; length < whole.length; length++) {
      expect(await outcome(path, whole.subarray(0, length), Buffer.alloc(0))).toBe("refused");
    }
  });

  test("every flipped bit of the header is refused or leaves the data as it is", async () => {
    const path = join(scratch(), "flip.safetensors");
    const seen = { refused: 0, read: 0 };
    for (let bit = 0; bit < headerEnd * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      seen[await outcome(path, damaged, whole.subarray(headerEnd))]++;
    }
    expect(seen.refused).toBeGreaterThan(seen.read); // what can be read differs in names, metadata or padding
  });

  test("random bytes, alone and as a header, never do more than be refused", async () => {
    const path = join(scratch(), "random.safetensors");
    const syntax = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      ":",
      ",",
      '"a"',
      '"dtype"',
      '"shape"',
      '"U8"',
      "0",
      "1",
      "\\",
    );
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => fileOf(bytes)),
      fc.array(syntax, { maxLength: 30 }).map((parts) => fileOf(`{${parts.join("")}}`)),
      fc.json().map((json) => fileOf(json.trimStart(), 4)),
      fc.json().map((json) => fileOf(`{"a":${json}}`, 4)),
    );
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        const start = bytes.length < 8 ? bytes.length : 8 + Number(Buffer.from(bytes).readBigUInt64LE());
        await outcome(path, bytes, Buffer.from(bytes.subarray(start)));
      }),
      { numRuns: 500 },
    );
  });
});

test("element sizes in files are those in memory", async () => {
  const path = join(scratch(), "sizes.safetensors");
  const dtypes = Object.keys(bytesPer) as DType[];
  const given = Object.fromEntries(dtypes.map((dtype) => [dtype, { dtype, shape: [1], data: allocate(dtype, 1) }]));
  writeFileSync(path, Buffer.concat(encodeSafetensors(given)));
  await using file = await openSafetensors(path);
  for (const dtype of dtypes) {
    const { begin, end } = file.info(dtype);
    expect(end - begin).toBe(bytesPer[dtype]);
    expect(begin % bytesPer[dtype]).toBe(0);
  }
});
