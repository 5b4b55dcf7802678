/**
 * The values that a Cookie header gives one name: no map is made of the header, so that no name in it can mean anything
 * else. Runs in every thread of the host.
 */

/** What browsers keep at most of one cookie, name and value together; whoever sends more is no browser. */
const MAX_COOKIE_BYTES = 4096;

/**
 * Every value under `name`, each once, in the order of the header. Names are compared byte for byte: nothing is
 * decoded, no `$Version` is known, quotes are part of a value, and a pair without a name or without '=' is nobody's.
 * Only spaces and tabs around a name or value are none of it.
 */
export function cookieValues(header: string | undefined, name: string): readonly string[] {
  const values: string[] = [];
  if (header === undefined) return values;
  for (let start = 0, equals = header.indexOf('='); equals >= 0; ) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon < 0 ? header.length : semicolon;
    if (equals < end && isName(header, start, equals, name)) {
      const value = trimmed(header, equals + 1, end);
      if (name.length + value.length <= MAX_COOKIE_BYTES && !values.includes(value)) values.push(value);
    }
    start = end + 1;
    if (equals < start) equals = header.indexOf('=', start);
  }
  return values;
}

function isName(header: string, start: number, end: number, name: string): boolean {
  const from = afterBlanks(header, start, end);
  return header.startsWith(name, from) && beforeBlanks(header, from, end) === from + name.length;
}

/** Without the spaces and tabs around it. Not `trim`, which takes U+2000 and its like away as well. */
function trimmed(text: string, start: number, end: number): string {
  const from = afterBlanks(text, start, end);
  return text.slice(from, beforeBlanks(text, from, end));
}

function afterBlanks(text: string, start: number, end: number): number {
  let from = start;
  while (from < end && isBlank(text.charCodeAt(from))) from++;
  return from;
}

function beforeBlanks(text: string, start: number, end: number): number {
  let to = end;
  while (to > start && isBlank(text.charCodeAt(to - 1))) to--;
  return to;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
