// Reads calls of tools in a text as it comes: text that is said, the calls' names, and their arguments piece by piece. What
// only looks like a call is text. Knows no tokens and no API.

import { type ArgumentsReader, beginningAtEnd, JsonArguments, leading } from "./call-arguments.ts";
import { PythonArguments } from "./python-arguments.ts";
import { TaggedArguments } from "./tagged-arguments.ts";
import { type ToolForm, type ToolFormName, toolForms } from "./tool-form.ts";

/** What is new: text, the beginning of a call, or a piece of a call's arguments. */
export type ToolPiece =
  | { readonly text: string }
  | { readonly call: number; readonly name: string }
  | { readonly call: number; readonly arguments: string };

/** A tool that may be called, with a JSON schema of its arguments. */
export interface KnownTool {
  readonly name: string;
  readonly parameters?: object;
}

/**
 * Where it stands: in text; before the first call of a mark; at the beginning of a call, whose name has not come; in a call's
 * arguments; after them; in text that holds no more calls.
 */
type Place = "text" | "open" | "head" | "arguments" | "tail" | "rest";

/** What a call begins with: its name and the length of that beginning; undefined if it may yet come, "none" if it does not. */
type Head = { readonly name: string; readonly length: number; readonly whole?: string } | "none" | undefined;

/** What stands before arguments, where they begin. */
const argumentsBegin = { json: /^\s*(?=\{)/, python: /^(?=\s*(\)|[\p{L}_][\p{L}\p{N}_]*\s*=))/u, tags: /^/ };

/** Reads one text. */
export class ToolCallReader {
  readonly #form: ToolForm;
  readonly #tools: ReadonlyMap<string, KnownTool>;
  #place: Place;
  #held = "";
  #before = ""; // what was taken of a mark that no call has followed yet
  #awaited: readonly string[] = []; // what is to come before the first call
  #calls = 0;
  #arguments: ArgumentsReader = new JsonArguments();
  #isOpen = false; // whether `after` is still to come
  #members: JsonArguments | undefined; // those of a call after its arguments

  /** @param tools that there are: without a mark, what calls others is text. */
  constructor(form: ToolFormName, tools: Iterable<KnownTool>) {
    this.#form = toolForms[form];
    this.#tools = new Map([...tools].map((tool) => [tool.name, tool]));
    this.#place = "text";
    if (this.#form.mark === "") this.#begin("");
  }

  /** How many calls have begun. */
  get calls(): number {
    return this.#calls;
  }

  /** Goes on by a piece of the text. */
  push(text: string): ToolPiece[] {
    this.#held += text;
    return this.#read(false);
  }

  /** The text has ended. Call it once. */
  end(): ToolPiece[] {
    return this.#read(true);
  }

  #read(ended: boolean): ToolPiece[] {
    const pieces: ToolPiece[] = [];
    for (let before = ""; before !== `${this.#place} ${this.#held}`; ) {
      before = `${this.#place} ${this.#held}`;
      this.#step(pieces, ended);
    }
    return pieces;
  }

  /** Takes what it can of what is held. */
  #step(pieces: ToolPiece[], ended: boolean): void {
    if (this.#place === "text") this.#inText(pieces, ended);
    else if (this.#place === "open") this.#opened(pieces, ended);
    else if (this.#place === "head") this.#inHead(pieces, ended);
    else if (this.#place === "arguments") {
      const { taken, json, done } = this.#arguments.read(this.#held, ended);
      this.#take(taken);
      if (json !== "") pieces.push({ call: this.#calls - 1, arguments: json });
      if (done) this.#place = "tail";
    } else if (this.#place === "tail") this.#inTail(ended);
    else this.#say(pieces, this.#held.length);
  }

  /** Text to the next mark; spaces around calls are none. */
  #inText(pieces: ToolPiece[], ended: boolean): void {
    const { mark } = this.#form;
    const begin = this.#held.indexOf(mark);
    if (begin >= 0) {
      const said = this.#held.slice(0, begin).trimEnd();
      this.#say(pieces, said.length);
      this.#begin(this.#take(begin - said.length + mark.length));
      return;
    }
    if (ended) {
      if (this.#calls > 0 && this.#held.trim() === "") this.#held = "";
      this.#say(pieces, this.#held.length);
      return;
    }
    let certain = this.#held.length - beginningAtEnd(this.#held, mark);
    while (certain > 0 && /\s/.test(this.#held[certain - 1] as string)) certain--;
    this.#say(pieces, certain);
  }

  #begin(mark: string): void {
    this.#before = mark;
    this.#awaited = [this.#form.prefix ?? "", this.#form.open.trim()];
    this.#place = "open";
  }

  /** What stands before the first call. */
  #opened(pieces: ToolPiece[], ended: boolean): void {
    for (const sought of this.#awaited) {
      const length = sought === "" ? 0 : leading(this.#held, sought);
      if (length === undefined && !ended) return;
      const isThere = length !== undefined && length >= 0;
      if (!isThere && sought !== this.#form.prefix) {
        this.#noCall(pieces);
        return;
      }
      if (isThere) this.#before += this.#take(length);
      this.#awaited = this.#awaited.slice(1);
    }
    this.#place = "head";
  }

  #inHead(pieces: ToolPiece[], ended: boolean): void {
    const head = this.#form.before.startsWith("{") ? this.#objectHead(ended) : this.#namedHead(ended);
    if (head === undefined && !ended) return;
    if (head === undefined || head === "none" || (this.#form.mark === "" && !this.#tools.has(head.name))) {
      this.#noCall(pieces);
      return;
    }
    const { name, length, whole } = head;
    this.#take(length);
    this.#before = "";
    pieces.push({ call: this.#calls++, name });
    if (whole !== undefined) pieces.push({ call: this.#calls - 1, arguments: whole });
    else this.#arguments = this.#argumentsOf(name);
    this.#isOpen = whole === undefined;
    this.#place = whole === undefined ? "arguments" : "tail";
  }

  #argumentsOf(name: string): ArgumentsReader {
    const { arguments: written } = this.#form;
    if (written === "json") return new JsonArguments();
    return written === "python"
      ? new PythonArguments()
      : new TaggedArguments(written, this.#tools.get(name)?.parameters);
  }

  /** The beginning of a call that is an object. One that is written in another order is read when it is all there. */
  #objectHead(ended: boolean): Head {
    const usual =
      /^\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/;
    const found = usual.exec(this.#held);
    const name = found ? textOf(found[1] as string) : undefined;
    if (found && name !== undefined) return { name, length: found[0].length };
    const first = /^\s*\{\s*"((?:[^"\\]|\\.)*)"/.exec(this.#held)?.[1];
    if (first !== undefined && !["name", "type", "parameters", "arguments", "id"].includes(first)) return "none";
    if (leading(this.#held, "{") === -1) return "none";
    const { taken, done } = new JsonArguments().read(this.#held);
    if (!done && !ended) return undefined;
    const call = callOf(this.#held.slice(0, taken));
    return call ? { name: call.name, length: taken, whole: call.arguments } : "none";
  }

  /** The beginning of a call whose name stands by itself. */
  #namedHead(ended: boolean): Head {
    const { before, middle, arguments: written } = this.#form;
    const start = before === "" ? 0 : leading(this.#held, before);
    if (start === undefined || start < 0) return start === undefined ? undefined : "none";
    const named = /^\s*([\w.-]*)/.exec(this.#held.slice(start)) as RegExpExecArray;
    const [all, name = ""] = named;
    const rest = this.#held.slice(start + all.length);
    if (rest === "")
      return ended && middle.trim() === "" && name !== "" ? { name, length: this.#held.length } : undefined;
    const next = middle.trim() === "" ? 0 : leading(rest, middle.trim());
    if (next === undefined) return undefined;
    if (next < 0 || name === "") return "none";
    const length = start + all.length + next;
    const given = this.#held.slice(length);
    const begins = argumentsBegin[typeof written === "string" ? written : "tags"].exec(given);
    if (begins) return { name, length: length + begins[0].length };
    return /^\s*([\p{L}_][\p{L}\p{N}_]*\s*)?$/u.test(given) ? undefined : "none";
  }

  /** What was taken for the beginning of a call is text. */
  #noCall(pieces: ToolPiece[]): void {
    this.#held = this.#before + this.#held;
    this.#place = this.#form.mark === "" ? "rest" : "text";
    this.#say(pieces, this.#before.length);
    this.#before = "";
  }

  /** What stands between the arguments' end and the next call, or what the mark began ends. */
  #inTail(ended: boolean): void {
    const { after, more, mark, before } = this.#form;
    const close = this.#form.close.trim();
    if (this.#isOpen && after !== "") {
      const length = leading(this.#held, after.trim());
      if (length === undefined && !ended) return;
      if (length !== undefined && length >= 0) this.#take(length);
      else if (before.startsWith("{") && leading(this.#held, ",") === 1) this.#members = new JsonArguments(1);
      this.#isOpen = false;
      return;
    }
    if (this.#members) {
      const { taken, done } = this.#members.read(this.#held);
      this.#take(taken);
      if (done) this.#members = undefined;
      return;
    }
    if (close === "") {
      this.#between(ended);
      return;
    }
    const start = /^[\s,]*/.exec(this.#held)?.[0].length ?? 0;
    const rest = this.#held.slice(start);
    const next = before === "" ? /^[\w.-]/.test(rest) : rest !== "" && leading(rest, before[0] as string) === 1;
    if (more !== undefined && next && !close.startsWith(rest.slice(0, close.length))) {
      this.#take(start);
      this.#place = "head";
      return;
    }
    const end = this.#held.indexOf(close);
    if (end >= 0) {
      this.#take(end + close.length);
      this.#place = mark === "" ? "rest" : "text";
    } else if (ended) this.#held = "";
    else if (rest.length > close.length) this.#held = this.#held.slice(-close.length);
  }

  /** Between calls that nothing closes. */
  #between(ended: boolean): void {
    if (this.#form.mark !== "") {
      this.#place = "text";
      return;
    }
    const start = /^[\s;,]*/.exec(this.#held)?.[0].length ?? 0;
    const rest = this.#held.slice(start);
    if (rest.startsWith("{")) {
      this.#take(start);
      this.#place = "head";
    } else if (rest !== "") this.#place = "rest";
    else if (ended) this.#held = "";
  }

  #say(pieces: ToolPiece[], length: number): void {
    const text = this.#take(length);
    if (text !== "") pieces.push({ text });
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

function textOf(json: string): string | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A call written in another order, or with its arguments as a text. */
function callOf(json: string): { name: string; arguments: string } | undefined {
  let call: Record<string, unknown> | null;
  try {
    call = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof call !== "object" || typeof call?.name !== "string") return undefined;
  const given = call.arguments ?? call.parameters ?? {};
  return { name: call.name, arguments: typeof given === "string" ? given : JSON.stringify(given) };
}
