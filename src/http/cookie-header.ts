/** The values that a Cookie header gives one name: no map is made of the header, so that no name in it can mean anything else. Runs in every thread of the host. */

/** What browsers keep at most of one cookie, name and value together; whoever sends more is no browser. */
const MOST_BYTES = 4096;

/**
 * Every value under `name`, each once, in the order of the header. Names are compared byte for byte: nothing is decoded, no `$Version` is known, quotes
 * are part of a value, and a pair without a name or without '=' is nobody's. Only spaces and tabs around a name or value are none of it.
 */
export function cookieValues(header: string | undefined, name: string): readonly string[] {
  if (header === undefined || !header.includes(name)) return [];
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || trimmed(pair.slice(0, equals)) !== name) continue;
    const value = trimmed(pair.slice(equals + 1));
    if (name.length + value.length <= MOST_BYTES && !values.includes(value)) values.push(value);
  }
  return values;
}

/** Without the spaces and tabs around it. Not `trim`, which takes U+2000 and its like away as well. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
