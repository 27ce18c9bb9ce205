// Checksums: a flipped bit anywhere in a checked file is found.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeChecked, hasChecksum, readChecked } from "../../src/checkpoint/checksum.ts";
import { encodeSafetensors, openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { InputError } from "../../src/error.ts";
import { Random } from "../../src/tensor/random.ts";
import { type Tensors, tensor } from "../../src/tensor/tensor.ts";
import { scratch } from "../files/scratch.ts";

const given: Tensors = {
  embed: tensor("float32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)),
  "optimizer.m.embed": tensor("float32", [3, 2], new Float32Array(6)),
  // Names and texts that look like the field where the digits are.
  'a","checksum":"x': tensor("uint8", [1], Uint8Array.of(9)),
};
const metadata = { step: "3", note: `"checksum":"${"0".repeat(64)}"` };

async function read(path: string, bytes: Uint8Array, wanted?: (name: string) => boolean): Promise<Tensors> {
  writeFileSync(path, bytes);
  await using file = await openSafetensors(path);
  return await readChecked(file, wanted);
}

test("a checked file is a safetensors file with its tensors, its metadata and the checksum", async () => {
  const path = join(scratch(), "checked.safetensors");
  const bytes = Buffer.concat(encodeChecked(given, metadata));
  expect(await read(path, bytes)).toEqual(given);
  expect(Object.keys(await read(path, bytes, (name) => name === "embed"))).toEqual(["embed"]);
  await using file = await openSafetensors(path);
  const { checksum, ...others } = file.metadata;
  expect(others).toEqual(metadata);
  expect(hasChecksum(file)).toBe(true);
  const blanked = bytes.toString("latin1").replace(checksum as string, "0".repeat(64));
  expect(createHash("sha256").update(blanked, "latin1").digest("hex")).toBe(checksum);
});

test("a flipped bit in any byte is found", async () => {
  const path = join(scratch(), "flipped.safetensors");
  const whole = Buffer.concat(encodeChecked(given, metadata));
  const random = new Random(1);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1 << random.below(8);
    const error = await read(path, damaged).catch((caught) => caught);
    expect(error, `byte ${at}`).toBeInstanceOf(InputError);
    expect(error.message).toContain(path);
  }
});

test("what has no checksum is not taken for checked, and nobody can bring their own", async () => {
  const path = join(scratch(), "plain.safetensors");
  await expect(read(path, Buffer.concat(encodeSafetensors(given, metadata)))).rejects.toThrow(/has no checksum/);
  const short = encodeSafetensors(given, { checksum: "abc" });
  await expect(read(path, Buffer.concat(short))).rejects.toThrow(InputError);
  expect(() => encodeChecked(given, { checksum: "abc" })).toThrow(/"checksum" is reserved/);
});
