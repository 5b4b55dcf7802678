/**
 * Reads the values of one name from a Cookie header, without making an object of the header: no cookie name can then be
 * mistaken for a property. Runs in every thread of the host.
 */

/** The largest cookie that browsers store, name and value together. A larger one comes from no browser. */
const MAX_COOKIE_BYTES = 4096;

/**
 * All distinct values under `name`, in the order of the header. Names are compared byte for byte. Nothing is decoded,
 * `$Version` has no meaning, quotes belong to the value, and pairs without a name or '=' are ignored. Spaces and tabs
 * around names and values are removed.
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

/** Removes spaces and tabs only: `trim` would remove U+2000 and others too. */
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
