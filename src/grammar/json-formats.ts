// The formats that a JSON schema's strings may have, as patterns. Each is as its standard has it or narrower: no leap
// seconds, no quoted mailboxes, no URI without a host, and names of at most 40 characters between dots.

const year = String.raw`(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29`;
const months = String.raw`(0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8])`;
const date = String.raw`(${year}|\d{4}-(${months}))`;
const clock = String.raw`([01]\d|2[0-3]):[0-5]\d`;
const time = String.raw`${clock}:[0-5]\d(\.\d{1,9})?(Z|[+-]${clock})`;
const n = String.raw`\d{1,9}`;
const days = `(${n}D|${n}M(${n}D)?|${n}Y(${n}M(${n}D)?)?)`;
const hours = `T(${n}S|${n}M(${n}S)?|${n}H(${n}M(${n}S)?)?)`;
const label = "[A-Za-z0-9]([A-Za-z0-9-]{0,38}[A-Za-z0-9])?";
const host = String.raw`${label}(\.${label}){0,4}`;
const mailbox = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
const byte = String.raw`(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const ipv4 = String.raw`${byte}(\.${byte}){3}`;
const h16 = "[0-9a-fA-F]{1,4}";
/** RFC 3986: eight groups, or fewer with one gap. */
const ipv6 = [
  `(${h16}:){7}${h16}`,
  `::(${h16}(:${h16}){0,6})?`,
  ...[1, 2, 3, 4, 5, 6].map((before) => `${h16}(:${h16}){${before - 1}}::(${h16}(:${h16}){0,${6 - before}})?`),
  `${h16}(:${h16}){6}::`,
].join("|");
const character = String.raw`([\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})`;
const query = `(${character}|[/?])*`;

/** Patterns by the name of the format. */
export const formats: Readonly<Record<string, string>> = {
  date,
  time,
  "date-time": `${date}T${time}`,
  duration: `P(${days}(${hours})?|${hours}|${n}W)`,
  email: String.raw`${mailbox}(\.${mailbox}){0,2}@${label}(\.${label}){1,4}`,
  hostname: host,
  ipv4,
  ipv6: `(${ipv6})`,
  uuid: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
  uri: String.raw`[a-z][a-z0-9+.-]{1,19}://${host}(:\d{1,4})?(/${character}*)*(\?${query})?(#${query})?`,
};
