/**
 * Checks, finds and merges the entries of a data section by their keys, without decoding any value. Runs in the
 * manager's thread, and in a caller's thread to find one value.
 */

import { ByteReader, ByteWriter, MalformedBytes, sameBytes } from '../bytes.js';
import { readLongString, textOfBytes, writeString } from './strings.js';
import { LATIN1, MAX_SHORT, SHORT_STRING, UTF8, UTF16 } from './tags.js';

/**
 * One entry: `start ≤ key bytes < keyEnd < size ≤ valueStart ≤ value bytes < end`, all of them offsets in the section.
 */
export interface Entry {
  readonly start: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly end: number;
}

/** Up to this number, keys are compared with one another; more keys go through a hash table. */
const FEW = 8;
/** Entries between two calls of `onProgress`. */
const AT_ONCE = 1 << 14;
const nothing = (): void => {};

/**
 * Checks that a section is well formed: every entry lies within it, no key occurs twice, none is `__proto__`, and each
 * is in its only form. Values are not checked: that is done when they are decoded. `removals`: whether it is a patch,
 * whose values may be missing. `onProgress` is called every AT_ONCE entries, as there may be millions.
 */
export function checkEntries(section: Uint8Array, removals = false, onProgress = nothing): void {
  const reader = new ByteReader(section);
  let checked = 0;
  const first: Entry[] = [];
  let table: KeyTable | undefined;
  while (reader.left > 0) {
    const entry = nextEntry(reader);
    checkKey(section, entry);
    if (entry.valueStart === entry.end && !removals) throw new MalformedBytes('a key without a value');
    if (table === undefined && first.length === FEW) table = new KeyTable(section, first);
    const isThere =
      table === undefined ? findAmong(section, first, first.length, section, entry) >= 0 : !table.add(entry);
    if (isThere) throw new MalformedBytes('a key twice');
    if (table === undefined) first.push(entry);
    if (++checked % AT_ONCE === 0) onProgress();
  }
}

/** Appends one key in the form that it has in an entry, whatever its length. */
export function encodeKey(writer: ByteWriter, key: string): void {
  writeString(writer, key, Number.POSITIVE_INFINITY);
}

/** The entry of the key in the first `size` of these bytes, in the form that `encodeKey` writes. */
export function findEntry(section: Uint8Array, keyBytes: Uint8Array, size = keyBytes.length): Entry | undefined {
  const reader = new ByteReader(section);
  while (reader.left > 0) {
    const entry = nextEntry(reader);
    if (sameBytes(section, keyBytes, entry.start, entry.keyEnd, 0, size)) return entry;
  }
  return undefined;
}

/**
 * Writes `base` with the changes of `patch`. Entries that `patch` does not name are copied; those that it names are
 * replaced in place or removed; new ones are appended. Both must have passed `checkEntries`. Returns whether the result
 * differs from `base`. `onProgress`: as for `checkEntries`.
 */
export function mergeEntries(base: Uint8Array, patch: Uint8Array, out: ByteWriter, onProgress = nothing): boolean {
  const changes = entriesOf(patch, onProgress);
  const table = changes.length > FEW ? new KeyTable(patch, changes, onProgress) : undefined;
  let merged = 0;
  const met: boolean[] = [];
  const reader = new ByteReader(base);
  let changed = false;
  let copied = 0;
  while (reader.left > 0) {
    if (++merged % AT_ONCE === 0) onProgress();
    const entry = nextEntry(reader);
    const place = table ? table.find(base, entry) : findAmong(patch, changes, changes.length, base, entry);
    if (place < 0) continue;
    met[place] = true;
    const change = changes[place] as Entry;
    if (sameBytes(base, patch, entry.valueStart, entry.end, change.valueStart, change.end)) continue;
    changed = true;
    out.raw(base.subarray(copied, entry.start));
    copied = entry.end;
    if (change.end > change.valueStart) out.raw(patch.subarray(change.start, change.end));
  }
  out.raw(base.subarray(copied));
  for (let i = 0; i < changes.length; i++) {
    if ((i + 1) % AT_ONCE === 0) onProgress();
    const { start, valueStart, end } = changes[i] as Entry;
    if (met[i] || end === valueStart) continue;
    changed = true;
    out.raw(patch.subarray(start, end));
  }
  return changed;
}

function entriesOf(section: Uint8Array, onProgress: () => void): Entry[] {
  const reader = new ByteReader(section);
  const entries: Entry[] = [];
  while (reader.left > 0) {
    entries.push(nextEntry(reader));
    if (entries.length % AT_ONCE === 0) onProgress();
  }
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
 * A short key has only one possible form. Any other key is decoded and encoded again, so that no key occurs twice in
 * two forms.
 */
function checkKey(section: Uint8Array, { start, keyEnd }: Entry): void {
  const tag = section[start] as number;
  if (tag === SHORT_STRING + 9 && textOfBytes.latin1Slice.call(section, start + 1, keyEnd) === '__proto__') {
    throw new MalformedBytes('a key that is refused');
  }
  if (tag >= SHORT_STRING) return;
  const bytes = section.subarray(start, keyEnd);
  const reader = new ByteReader(bytes);
  const again = new ByteWriter(bytes.length);
  encodeKey(again, readLongString(reader, reader.u8()));
  if (!sameBytes(bytes, again.bytes, 0, bytes.length, 0, again.length))
    throw new MalformedBytes('a key in another form');
}

/** Random, so that nobody can choose keys that collide in the table. */
const SEED = Math.floor(Math.random() * 2 ** 32);

/** The keys of a section in a hash table, compared as bytes: decoding them would create strings, perhaps millions. */
class KeyTable {
  readonly #section: Uint8Array;
  /** Where the key of each entry starts and ends. */
  #bounds = new Int32Array(64);
  #count = 0;
  /**
   * Hash table of the entries' numbers, plus one; 0 for none. Its size is a power of two, and at most half of it is
   * used.
   */
  #places = new Int32Array(64);

  constructor(section: Uint8Array, entries: readonly Entry[], onProgress = nothing) {
    this.#section = section;
    for (const entry of entries) {
      this.add(entry);
      if (this.#count % AT_ONCE === 0) onProgress();
    }
  }

  /** Adds the next entry; false if there is one with the same key. */
  add(entry: Entry): boolean {
    const at = this.#walk(this.#section, entry.start, entry.keyEnd);
    if (this.#places[at] !== 0) return false;
    if (2 * this.#count === this.#bounds.length) this.#bounds = grown(this.#bounds);
    this.#bounds[2 * this.#count] = entry.start;
    this.#bounds[2 * this.#count + 1] = entry.keyEnd;
    this.#places[at] = ++this.#count;
    if (2 * this.#count > this.#places.length) this.#enlarge();
    return true;
  }

  /** The number of the entry that has the same key as an entry of another section, or -1. */
  find(other: Uint8Array, { start, keyEnd }: Entry): number {
    return (this.#places[this.#walk(other, start, keyEnd)] as number) - 1;
  }

  /** Where a key is in the table, or would be inserted. */
  #walk(other: Uint8Array, start: number, end: number): number {
    const mask = this.#places.length - 1;
    let hash = SEED;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (other[i] as number), 0x85ebca6b) ^ (hash >>> 15);
    let at = (hash ^ (hash >>> 13)) & mask;
    for (let place = this.#places[at] as number; place !== 0; place = this.#places[at] as number) {
      const [from, to] = [this.#bounds[2 * place - 2] as number, this.#bounds[2 * place - 1] as number];
      if (sameBytes(other, this.#section, start, end, from, to)) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  #enlarge(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let place = 1; place <= this.#count; place++) {
      const [from, to] = [this.#bounds[2 * place - 2] as number, this.#bounds[2 * place - 1] as number];
      this.#places[this.#walk(this.#section, from, to)] = place;
    }
  }
}

function grown(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(2 * words.length);
  twice.set(words);
  return twice;
}

/** The number of the entry, among the first `count`, that has the key of `wanted`, or −1. */
function findAmong(
  section: Uint8Array,
  entries: readonly Entry[],
  count: number,
  other: Uint8Array,
  wanted: Entry,
): number {
  for (let i = 0; i < count; i++) {
    const entry = entries[i] as Entry;
    if (sameBytes(section, other, entry.start, entry.keyEnd, wanted.start, wanted.keyEnd)) return i;
  }
  return -1;
}
