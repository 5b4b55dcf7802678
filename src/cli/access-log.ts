/**
 * Parses one line of an access log in common or combined format, with or without a virtual host before it, in one pass.
 * Runs in the main thread.
 */

import { isIP } from 'node:net';

/** What a replay needs of a request. */
export interface LoggedRequest {
  /** Seconds since 1970, converted from the zone of the line. */
  readonly at: number;
  readonly address: string;
  /** '-' in the common format, which has no user agent. Escapes are not decoded. */
  readonly agent: string;
}

/**
 * A line is: host identity user [17/May/2015:10:05:03 +0000] "request" status bytes. The combined format adds:
 * "referer" "agent".
 */
const timeForm = / \[(\d\d)\/([A-Z][a-z][a-z])\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "/y;
const statusForm = / (?:\d{3}|-) (?:\d+|-)(?= |$)/y;
const addressForm = /^[!-~]+$/;

const months = new Map(
  ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].map((name, month) => [
    name,
    month,
  ]),
);

/** A virtual host and its port, with which Apache's `vhost_combined` begins. A client's address has no port. */
const virtualHostForm = /^(?:[^:]+|\[[^\]]+\]):\d{1,5}$/;

/**
 * The request of a line, which is given without its line end. Undefined if the line is cut off, in another format, or
 * has an impossible time.
 */
export function parseLogLine(line: string): LoggedRequest | undefined {
  const first = line.slice(0, line.indexOf(' '));
  if (!addressForm.test(first)) return undefined;

  // The identity and the user stand between the address and the time. A user's name may contain spaces and brackets.
  let bracket = line.indexOf(' [', first.length + 1);
  while (bracket >= 0 && !startsAt(timeForm, line, bracket)) bracket = line.indexOf(' [', bracket + 1);
  if (bracket < 0) return undefined;
  const between = line.slice(first.length + 1, bracket);
  if (!between.includes(' ')) return undefined;
  const address = clientAfter(first, between) ?? first;
  const at = parseLogTime(line.slice(bracket + 2, bracket + 28));
  if (at === undefined) return undefined;

  const request = closingQuote(line, bracket + 31, (quote) => startsAt(statusForm, line, quote + 1));
  if (request < 0) return undefined;
  statusForm.lastIndex = request + 1;
  statusForm.test(line);
  const rest = line.slice(statusForm.lastIndex).trimEnd();
  if (rest === '') return { at, address, agent: '-' };

  // What follows the user agent is an addition of the site, and ignored.
  if (!rest.startsWith(' "')) return undefined;
  const referer = closingQuote(rest, 2, (quote) => rest.startsWith(' "', quote + 1));
  if (referer < 0) return undefined;
  const agent = closingQuote(rest, referer + 3, (quote) => quote + 1 === rest.length || rest[quote + 1] === ' ');
  return agent < 0 ? undefined : { at, address, agent: rest.slice(referer + 3, agent) };
}

/**
 * The client, if the first field of a line is the virtual host: then there are three fields between that and the time.
 */
function clientAfter(first: string, between: string): string | undefined {
  const [second = '', ...others] = between.split(' ', 3);
  if (second === '-' || others.length < 2 || !addressForm.test(second)) return undefined;
  return isIP(second) !== 0 || virtualHostForm.test(first) ? second : undefined;
}

/**
 * Seconds since 1970 for a text such as `17/May/2015:10:05:03 -0730`. Undefined for what is no time, or a time before
 * 1970.
 */
export function parseLogTime(text: string): number | undefined {
  timeForm.lastIndex = 0;
  const parts = timeForm.exec(` [${text}] "`);
  if (parts === null) return undefined;
  const [day, year, hours, minutes, seconds, zoneHours, zoneMinutes] = [1, 3, 4, 5, 6, 8, 9].map((i) =>
    Number(parts[i]),
  ) as [number, number, number, number, number, number, number];
  const month = months.get(parts[2] ?? '');
  if (month === undefined || day < 1 || day > new Date(Date.UTC(year, month + 1, 0)).getUTCDate()) return undefined;
  // Second 60 is a leap second, and counted as the first of the next minute.
  if (hours > 23 || minutes > 59 || seconds > 60 || zoneHours > 14 || zoneMinutes > 59) return undefined;
  const offset = (zoneHours * 60 + zoneMinutes) * (parts[7] === '-' ? -60 : 60);
  const at = Date.UTC(year, month, day, hours, minutes, seconds) / 1000 - offset;
  return year < 1970 || at < 0 ? undefined : at;
}

/**
 * The index at which the quoted text from `from` ends: the first quote that is not escaped and that `fits`. Clients may
 * send bare quotes, which some servers log unescaped.
 */
function closingQuote(line: string, from: number, fits: (quote: number) => boolean): number {
  let quote = line.indexOf('"', from);
  let backslash = line.indexOf('\\', from);
  while (quote >= 0) {
    // A backslash escapes the character after it: both indexes skip the pair.
    while (backslash >= 0 && backslash < quote) {
      if (backslash + 1 === quote) quote = line.indexOf('"', quote + 1);
      backslash = line.indexOf('\\', backslash + 2);
      if (quote < 0) return -1;
    }
    if (fits(quote)) return quote;
    quote = line.indexOf('"', quote + 1);
  }
  return -1;
}

function startsAt(form: RegExp, line: string, index: number): boolean {
  form.lastIndex = index;
  return form.test(line);
}
