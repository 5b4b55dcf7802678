/**
 * Entries of a data section: checked, found and spliced by their keys, with no value ever decoded. Runs in the
 * manager's thread, and in a caller's for one value.
 */

import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.js';
import { StringReader, textOfBytes, writeString } from './strings.js';
import { LATIN1, MAX_SHORT, SHORT_STRING, UTF8, UTF16 } from './tags.js';

/**
 * One entry: `start ≤ key bytes < keyEnd < size ≤ valueStart ≤ value bytes < end`, all of them places in the section.
 */
export interface Entry {
  readonly start: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly end: number;
}

/** Keys up to this number are compared each with each; more go through a Map. */
const FEW = 8;

/**
 * Proves that a section is well formed: every entry within it, no key twice, none `__proto__`, each in its one form.
 * Values are not looked into: whoever decodes them checks them. `removals`: whether it is a patch, whose values may be
 * missing.
 */
export function checkEntries(section: Uint8Array, removals = false): void {
  const reader = new ByteReader(section);
  const entries: Entry[] = [];
  while (reader.left > 0) {
    const entry = nextEntry(reader);
    checkKey(section, entry);
    if (entry.valueStart === entry.end && !removals) throw new MalformedBytes('a key without a value');
    entries.push(entry);
  }
  if (entries.length > FEW) {
    if (byKey(section, entries).size !== entries.length) throw new MalformedBytes('a key twice');
    return;
  }
  for (let i = 1; i < entries.length; i++) {
    if (findAmong(section, entries, i, section, entries[i] as Entry) >= 0) throw new MalformedBytes('a key twice');
  }
}

/** Appends one key as it stands in an entry, whatever its length. */
export function encodeKey(writer: ByteWriter, key: string): void {
  writeString(writer, key, Number.POSITIVE_INFINITY);
}

/** The entry of this key, given as `encodeKey` writes it. */
export function findEntry(section: Uint8Array, keyBytes: Uint8Array): Entry | undefined {
  const reader = new ByteReader(section);
  while (reader.left > 0) {
    const entry = nextEntry(reader);
    if (sameBytes(section, entry.start, entry.keyEnd, keyBytes, 0, keyBytes.length)) return entry;
  }
  return undefined;
}

/**
 * Writes `base` as `patch` changes it: what it does not name is copied, what it names is replaced where it stands or
 * dropped, what is new follows at the end. Both have passed `checkEntries`. Returns whether the result is other bytes
 * than `base`.
 */
export function mergeEntries(base: Uint8Array, patch: Uint8Array, out: ByteWriter): boolean {
  const changes = entriesOf(patch);
  const find = changes.length > FEW ? byKey(patch, changes) : undefined;
  const met: boolean[] = [];
  const reader = new ByteReader(base);
  let changed = false;
  let copied = 0;
  while (reader.left > 0) {
    const entry = nextEntry(reader);
    const place = find
      ? (find.get(textOfBytes.latin1Slice.call(base, entry.start, entry.keyEnd)) ?? -1)
      : findAmong(patch, changes, changes.length, base, entry);
    if (place < 0) continue;
    met[place] = true;
    const change = changes[place] as Entry;
    if (sameBytes(base, entry.valueStart, entry.end, patch, change.valueStart, change.end)) continue;
    changed = true;
    out.raw(base.subarray(copied, entry.start));
    copied = entry.end;
    if (change.end > change.valueStart) out.raw(patch.subarray(change.start, change.end));
  }
  out.raw(base.subarray(copied));
  for (let i = 0; i < changes.length; i++) {
    const { start, valueStart, end } = changes[i] as Entry;
    if (met[i] || end === valueStart) continue;
    changed = true;
    out.raw(patch.subarray(start, end));
  }
  return changed;
}

function entriesOf(section: Uint8Array): Entry[] {
  const reader = new ByteReader(section);
  const entries: Entry[] = [];
  while (reader.left > 0) entries.push(nextEntry(reader));
  return entries;
}

function nextEntry(reader: ByteReader): Entry {
  const start = reader.at;
  const tag = reader.u8();
  if (tag >= SHORT_STRING && tag <= SHORT_STRING + MAX_SHORT) reader.skip(tag - SHORT_STRING);
  else if (tag === LATIN1 || tag === UTF8 || tag === UTF16) reader.skip(reader.varint());
  else throw new MalformedBytes('not a key');
  const keyEnd = reader.at;
  const size = reader.varint();
  const valueStart = reader.skip(size);
  return { start, keyEnd, valueStart, end: valueStart + size };
}

/**
 * A short key can be written in one way only. Any other is read and written again, so that no key stands twice in two
 * forms.
 */
function checkKey(section: Uint8Array, { start, keyEnd }: Entry): void {
  const tag = section[start] as number;
  if (tag === SHORT_STRING + 9 && textOfBytes.latin1Slice.call(section, start + 1, keyEnd) === '__proto__') {
    throw new MalformedBytes('a key that is refused');
  }
  if (tag >= SHORT_STRING) return;
  const bytes = section.subarray(start, keyEnd);
  const reader = new StringReader(bytes);
  const again = new ByteWriter(bytes.length);
  encodeKey(again, reader.key(reader.u8()));
  if (!sameBytes(bytes, 0, bytes.length, again.bytes, 0, again.length))
    throw new MalformedBytes('a key in another form');
}

function byKey(section: Uint8Array, entries: readonly Entry[]): Map<string, number> {
  const places = new Map<string, number>();
  entries.forEach(({ start, keyEnd }, place) => {
    places.set(textOfBytes.latin1Slice.call(section, start, keyEnd), place);
  });
  return places;
}

/** The place among the first `count` entries of one with the key of `wanted`, or −1. */
function findAmong(
  section: Uint8Array,
  entries: readonly Entry[],
  count: number,
  other: Uint8Array,
  wanted: Entry,
): number {
  for (let i = 0; i < count; i++) {
    const entry = entries[i] as Entry;
    if (sameBytes(section, entry.start, entry.keyEnd, other, wanted.start, wanted.keyEnd)) return i;
  }
  return -1;
}

function sameBytes(a: Uint8Array, start: number, end: number, b: Uint8Array, from: number, to: number): boolean {
  const length = end - start;
  if (length !== to - from) return false;
  for (let i = 0; i < length; i++) if (a[start + i] !== b[from + i]) return false;
  return true;
}
