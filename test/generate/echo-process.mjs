// A child process for child.test.ts: answers "begin", says again what it hears, and ends when it is told to.

process.on("message", ({ say, end }) => {
  if (end !== undefined) process.exit(end);
  process.send({ said: say });
});
process.on("disconnect", () => process.exit());
