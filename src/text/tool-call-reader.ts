// Reads calls of tools in a text as it comes: text that is said, the calls' names, and their arguments piece by piece. What
// only looks like a call is text. Knows no tokens and no API.

import { type ToolForm, type ToolFormName, toolForms } from "./tool-form.ts";

/** What is new: text, the beginning of a call, or a piece of a call's arguments. */
export type ToolPiece =
  | { readonly text: string }
  | { readonly call: number; readonly name: string }
  | { readonly call: number; readonly arguments: string };

/**
 * Where it stands: in text; at the beginning of a call, whose name has not come; in a call's arguments; between those and
 * the call's end; after a call; in text that holds no more calls.
 */
type Place = "text" | "head" | "arguments" | "tail" | "after" | "rest";

/** Reads one text. */
export class ToolCallReader {
  readonly #form: ToolForm;
  readonly #names: ReadonlySet<string>;
  readonly #opening: string; // without the spaces that a model may leave out
  readonly #closing: string;
  #place: Place;
  #held = "";
  #calls = 0;
  #json = new JsonEnd();
  #isOpen = false; // whether the call's own brace is still to be closed, after its arguments

  /** @param names the tools that there are: other objects are no calls where nothing else marks calls. */
  constructor(form: ToolFormName, names: Iterable<string>) {
    this.#form = toolForms[form];
    this.#names = new Set(names);
    this.#opening = this.#form.open.trim();
    this.#closing = this.#form.close.trim();
    this.#place = this.#opening === "" ? "after" : "text";
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
    switch (this.#place) {
      case "text":
        this.#inText(pieces, ended);
        return;
      case "head":
        this.#inHead(pieces, ended);
        return;
      case "arguments": {
        const end = this.#json.push(this.#held);
        const piece = this.#taken(end ?? this.#held.length);
        if (piece !== "") pieces.push({ call: this.#calls - 1, arguments: piece });
        if (end !== undefined) this.#place = "tail";
        return;
      }
      case "tail":
        this.#inTail(ended);
        return;
      case "after":
        this.#between(pieces, ended);
        return;
      case "rest":
        this.#say(pieces, this.#held.length);
    }
  }

  /** Text to the next call; spaces around calls are none. */
  #inText(pieces: ToolPiece[], ended: boolean): void {
    const begin = this.#held.indexOf(this.#opening);
    if (begin >= 0) {
      const said = this.#held.slice(0, begin).trimEnd();
      this.#say(pieces, said.length);
      this.#held = this.#held.slice(begin - said.length + this.#opening.length);
      this.#place = "head";
      return;
    }
    if (ended) {
      if (this.#calls > 0 && this.#held.trim() === "") this.#held = "";
      this.#say(pieces, this.#held.length);
      return;
    }
    let certain = this.#held.length - beginningAtEnd(this.#held, this.#opening);
    while (certain > 0 && /\s/.test(this.#held[certain - 1] as string)) certain--;
    this.#say(pieces, certain);
  }

  #inHead(pieces: ToolPiece[], ended: boolean): void {
    const head =
      /^\s*\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)/;
    const found = head.exec(this.#held);
    if (found) {
      const name = textOf(found[1] as string);
      if (name !== undefined && this.#isCall(name)) {
        this.#begin(pieces, name);
        this.#held = this.#held.slice(found[0].length);
        this.#json = new JsonEnd();
        this.#isOpen = true;
        this.#place = "arguments";
        return;
      }
    }
    const whole = this.#whole(ended);
    if (whole === undefined) return;
    const call = callOf(whole);
    if (call && this.#isCall(call.name)) {
      this.#begin(pieces, call.name);
      pieces.push({ call: this.#calls - 1, arguments: call.arguments });
      this.#held = this.#held.slice(whole.length);
      this.#isOpen = false;
      this.#place = "tail";
      return;
    }
    this.#held = this.#opening + this.#held; // it was no call
    this.#say(pieces, this.#opening.length + whole.length);
    this.#place = this.#opening === "" ? "rest" : "text";
  }

  /** The text of a call that cannot be read as it comes, once it is all there. */
  #whole(ended: boolean): string | undefined {
    if (this.#closing !== "") {
      const end = this.#held.indexOf(this.#closing);
      return end >= 0 ? this.#held.slice(0, end) : ended ? this.#held : undefined;
    }
    const first = /^\s*\{\s*"((?:[^"\\]|\\.)*)"/.exec(this.#held)?.[1];
    if (first !== undefined && !["name", "type", "parameters", "arguments"].includes(first)) return this.#held;
    const end = new JsonEnd().push(this.#held);
    return end === undefined ? (ended ? this.#held : undefined) : this.#held.slice(0, end);
  }

  /** What stands between the arguments' end and the call's end. */
  #inTail(ended: boolean): void {
    if (this.#closing === "") {
      const rest = this.#isOpen ? /^\s*\}/ : /^/;
      const found = rest.exec(this.#held);
      if (!found && this.#held.trim() === "" && !ended) return;
      this.#held = this.#held.slice(found?.[0].length ?? 0);
      this.#place = "after";
      return;
    }
    const end = this.#held.indexOf(this.#closing);
    if (end >= 0) {
      this.#held = this.#held.slice(end + this.#closing.length);
      this.#place = "text";
    } else if (ended) this.#held = "";
    else this.#held = this.#held.slice(-this.#closing.length);
  }

  /** Where a call may begin by nothing but its brace. */
  #between(pieces: ToolPiece[], ended: boolean): void {
    const { mark } = this.#form;
    const start = /^[\s;,]*/.exec(this.#held)?.[0] ?? "";
    const rest = this.#held.slice(start.length);
    const marked = this.#calls === 0 && mark !== "" && rest.startsWith(mark);
    if (marked) this.#held = rest.slice(mark.length);
    else if (rest.startsWith("{")) {
      this.#held = rest;
      this.#place = "head";
    } else if (rest === "" || (this.#calls === 0 && mark.startsWith(rest))) {
      if (!ended) return;
      this.#say(pieces, this.#calls > 0 ? 0 : this.#held.length);
      this.#held = "";
    } else this.#place = "rest";
  }

  #isCall(name: string): boolean {
    return this.#opening !== "" || this.#names.has(name);
  }

  #begin(pieces: ToolPiece[], name: string): void {
    pieces.push({ call: this.#calls, name });
    this.#calls++;
  }

  #say(pieces: ToolPiece[], length: number): void {
    const text = this.#taken(length);
    if (text !== "") pieces.push({ text });
  }

  #taken(length: number): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }
}

/** Finds where a JSON object ends. */
class JsonEnd {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The place after its end in this piece, if it ends there. */
  push(text: string): number | undefined {
    for (let at = 0; at < text.length; at++) {
      const character = text[at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (character === "\\") this.#escaped = true;
        else if (character === '"') this.#inString = false;
      } else if (character === '"') this.#inString = true;
      else if (character === "{" || character === "[") this.#depth++;
      else if ((character === "}" || character === "]") && --this.#depth <= 0) return at + 1;
    }
    return undefined;
  }
}

/** How much of the end of `text` could be the beginning of `sought`. */
function beginningAtEnd(text: string, sought: string): number {
  for (let length = Math.min(sought.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(sought.slice(0, length))) return length;
  }
  return 0;
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
