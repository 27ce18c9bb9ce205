// Files as their contents, packed or not: .gz by Node, .xz by the system's `xz`, and the members of a tar. Does not know
// what is in them. Everything is read into memory.

import { execFileSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { InputError } from "../error.ts";
import { errorCode, fileError } from "./file-error.ts";
import { checkEnds, readWhole } from "./regular-file.ts";

/** How names of packed files may end. */
export const packings = ["", ".gz", ".xz"] as const;

/** The most bytes that a packed file may unpack to. */
const mostBytes = 2 ** 31 - 1;

/** What is in the file at `path`, unpacked if its name says that it is packed. @throws InputError where it cannot be read. */
export function unpacked(path: string): Uint8Array {
  try {
    if (path.endsWith(".xz")) return fromXz(path);
    const bytes = readWhole(path);
    return path.endsWith(".gz") ? gunzipSync(bytes, { maxOutputLength: mostBytes }) : bytes;
  } catch (error) {
    if (error instanceof InputError) throw error;
    if (path.endsWith(".gz") && errorCode(error)?.startsWith("Z")) {
      throw new InputError(`${path}: is not packed by gzip, or is damaged`, { cause: error });
    }
    throw fileError("read", path, error);
  }
}

function fromXz(path: string): Uint8Array {
  checkEnds(path);
  try {
    return execFileSync("xz", ["-dc", "--", path], { maxBuffer: mostBytes, stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      throw new InputError(`${path}: unpacking it needs the program xz, which is not here; give it unpacked`);
    }
    throw new InputError(
      `${path}: xz cannot unpack it: ${String((error as { stderr?: unknown }).stderr ?? error).trim()}`,
    );
  }
}

/** A member of a tar. */
export interface TarMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const tarBlock = 512; // bytes

/** The files in a tar (ustar, and what GNU and pax write of short names), in its order. @throws InputError if it is none. */
export function tarMembers(tar: Uint8Array, path: string): TarMember[] {
  const members: TarMember[] = [];
  const field = (at: number, start: number, length: number) => {
    const bytes = tar.subarray(at + start, at + start + length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  };
  for (let at = 0; at + tarBlock <= tar.length; ) {
    if (tar.subarray(at, at + tarBlock).every((byte) => byte === 0)) break;
    const size = Number.parseInt(field(at, 124, 12).trim(), 8);
    const end = at + tarBlock + size;
    if (field(at, 257, 5) !== "ustar" || !(size >= 0) || end > tar.length) {
      throw new InputError(`${path}: is not a tar, or is damaged at byte ${at}`);
    }
    const [folder, name, kind] = [field(at, 345, 155), field(at, 0, 100), field(at, 156, 1)];
    if (kind === "0" || kind === "") {
      members.push({ name: folder ? `${folder}/${name}` : name, bytes: tar.subarray(at + tarBlock, end) });
    }
    at += tarBlock + Math.ceil(size / tarBlock) * tarBlock;
  }
  return members;
}
