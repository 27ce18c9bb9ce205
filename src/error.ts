/** What an `InputError` says beside its message, for programs. */
export interface InputErrorDetails {
  /** The option that is wrong, by its name in this package: `topK`, `maxTokens`. */
  readonly option?: string;
  /** What is wrong with that option, without its name: who calls the option otherwise tells it so. */
  readonly problem?: string;
  /** Other options that the problem speaks of, by their names here: who calls them otherwise tells them so. */
  readonly mentions?: readonly string[];
  /** The kind of mistake, where a program may want to act on it. */
  readonly code?: "context_length_exceeded" | "out_of_memory";
  readonly cause?: unknown;
}

/**
 * A mistake in what the caller gave (an option, a file, a config), as opposed to a defect of crosslayer.
 *
 * Its message says what was asked, what was found and what would be right. The command line prints the message alone;
 * every other error keeps its stack. Programs read `option` and `code`, never the message.
 */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly option: string | undefined;
  readonly problem: string | undefined;
  readonly mentions: readonly string[];
  readonly code: InputErrorDetails["code"];

  constructor(message: string, { option, problem, mentions = [], code, cause }: InputErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.option = option;
    this.problem = problem;
    this.mentions = mentions;
    this.code = code;
  }

  /** A text of this error with the options that it mentions by the names that `naming` gives them. */
  inWordsOf(naming: (option: string) => string, text = this.message): string {
    return this.mentions.reduce((words, option) => words.replaceAll(option, naming(option)), text);
  }

  /** A mistake in an option, which people know by the name `shown`: "top-k: must be …". */
  static at(
    option: string,
    problem: string,
    { shown = option, ...details }: Omit<InputErrorDetails, "option" | "problem"> & { readonly shown?: string } = {},
  ): InputError {
    return new InputError(`${shown}: ${problem}`, { ...details, option, problem });
  }
}

/** An error that crosses processes or threads; a user's mistake with what it says to programs. */
export interface ErrorData extends Omit<InputErrorDetails, "cause"> {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

/** An error as data. */
export function errorData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  if (!(error instanceof InputError)) return { name, message, stack };
  const { option, problem, mentions, code } = error;
  return { name, message, stack, option, problem, mentions, code };
}

/** The error that data stands for; a user's mistake stays one. */
export function errorOf({ name, message, stack, ...details }: ErrorData): Error {
  if (name === "InputError") return new InputError(message, details);
  return Object.assign(new Error(message), { name, stack });
}

/** The most letters of a typed text that a message repeats. */
const mostQuoted = 80;

/** A text as a message repeats it: in quotes, on one line, not endless. */
export function quoted(text: string): string {
  return text.length > mostQuoted ? `${JSON.stringify(text.slice(0, mostQuoted))}…` : JSON.stringify(text);
}
