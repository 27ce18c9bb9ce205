// What the operating system's refusals mean to whoever named the path: a full disk, a missing permission, a wrong
// directory become InputErrors with advice; everything else passes through as it came.

import { InputError } from "../error.ts";

const advice: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space, or choose a path on another disk",
  EDQUOT: "the disk quota is used up; free some space, or choose a path on another disk",
  EFBIG: "the file would exceed the allowed size; raise the limit (ulimit -f), or choose another file system",
  EACCES: "permission denied; choose a path you may use, or change its permissions",
  EPERM: "not permitted; choose a path you may use, or change its permissions",
  EROFS: "the file system is read-only; choose a path that can be written",
  ENOTDIR: "a part of the path is a file, not a directory; choose another path",
  ENOENT: "no such file or directory; check the path, or create its directory first",
  EISDIR: "this is a directory, a file is needed; choose another path",
  ENOTEMPTY: "this is a directory, a file is needed; choose another path",
  EEXIST: "a file of this name is in the way; choose another path, or remove it",
  ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
  ELOOP: "its symbolic links lead in a circle; choose another path",
  ERR_STRING_TOO_LONG: "the file is too long to be read at once; split it",
  ERR_FS_FILE_TOO_LARGE: "the file is too long to be read at once; split it",
  ERR_FS_CP_FIFO_PIPE: "a pipe is among the files; remove it",
  ERR_FS_CP_SOCKET: "a socket is among the files; remove it",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  ENFILE: "too many files are open on this machine; end some programs",
  EIO: "the disk gives an error; copy the file from elsewhere, or choose another disk",
  ENXIO: "nothing is at the other end of this pipe or device; name a file",
  ETXTBSY: "a program of this name runs; choose another path",
};

/** Calls of the system whose names are no words. */
const words: Readonly<Record<string, string>> = { copyfile: "copy", scandir: "list", mkdir: "make", rmdir: "remove" };

/** The system's code of an error, such as `ENOENT`; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/**
 * The error to throw after `cannot <action> <path>`: an InputError with advice where the system's code has any,
 * the error itself where not.
 */
export function fileError(action: string, path: string, error: unknown): unknown {
  const code = errorCode(error);
  const known = code === undefined ? undefined : advice[code];
  return known ? new InputError(`cannot ${action} ${path}: ${known} (${code})`, { cause: error }) : error;
}

/**
 * As `fileError` for an error that nobody has said anything of: what was done, and to what, is the system's word. Memory
 * that cannot be had is told, too.
 */
export function systemError(error: unknown): unknown {
  const { syscall = "use", path = "a file", dest, message } = error as NodeJS.ErrnoException & { dest?: string };
  const isRefused =
    error instanceof RangeError && /allocation failed|Invalid (?:typed )?array (?:buffer )?length/i.test(message);
  if (
    isRefused ||
    /\bbad_alloc\b|Failed to allocate memory|Cannot allocate memory|WebAssembly\.\w+\(\): Out of memory/.test(message)
  ) {
    return new InputError(
      `memory: there is less than this needs (${message.split("\n")[0]?.slice(0, 200)}); ask for less, or free some`,
      {
        cause: error,
      },
    );
  }
  const place = dest === undefined ? path : `${path} to ${dest}`;
  return error instanceof InputError ? error : fileError(words[syscall] ?? syscall, place, error);
}
