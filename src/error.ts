/**
 * A mistake in what the caller gave (an option, a file, a config), as opposed to a defect of crosslayer.
 *
 * Its message says what was asked, what was found and what would be right. The command line prints the message alone;
 * every other error keeps its stack.
 */
export class InputError extends Error {
  override readonly name = "InputError";
}
