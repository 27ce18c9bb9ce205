// Stops work when its time is up, such as somebody else's pattern on some text: V8 ends it, within a regular expression
// too. Does not know what the work is.

import { createContext, Script } from "node:vm";

const script = new Script("work()");
const context: { work?: () => void } = createContext({});

/** What `work` returns, or throws. @throws what `tooLong` makes when it takes more than `ms` milliseconds. */
export function withinTime<T>(ms: number, work: () => T, tooLong: () => Error): T {
  let result: { value: T } | undefined;
  const outer = context.work;
  context.work = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: Math.ceil(ms) });
  } catch (error) {
    throw (error as NodeJS.ErrnoException | undefined)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT" ? tooLong() : error;
  } finally {
    context.work = outer;
  }
  return (result as { value: T }).value;
}
