// What the server's log must be able to do; pino can. Named here, so that who types against the server needs no types of
// pino's.

/** A log of lines with fields, whose children add fields of their own. */
export interface ServerLog {
  child(fields: Readonly<Record<string, unknown>>): ServerLog;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
