// Ctrl-C: the first asks the work to stop where it can be continued, the second stops it at once.

/** The exit status of a process that an interrupt ended. */
export const interrupted = 130;

/** Runs `work` with a signal that an interrupt raises; where it was raised, the exit status is 130. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(interrupted);
    controller.abort();
    console.error("\nstopping after this step; press Ctrl-C again to stop at once");
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    if (controller.signal.aborted) process.exitCode = interrupted;
  }
}
