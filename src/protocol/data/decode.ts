/**
 * Decodes session data. Whatever the bytes say, it builds nothing but plain data, in time linear in their number. No
 * length is trusted before the bytes for it are known to be there. Runs in every thread that reads data.
 */

import { Buffer } from 'node:buffer';
import { ByteReader, ByteWriter, MalformedBytes } from '../bytes.js';
import { encodeKey, findEntry } from './entries.js';
import { KnownKeys, LONGEST_KNOWN, readLongString, textOfBytes } from './strings.js';
import * as tag from './tags.js';

/** The names of keys that this thread decodes: the same few from session to session. */
const ownKeys = new KnownKeys();
const wanted = new ByteWriter(64);

/**
 * The data of a section. Plain objects and arrays are frozen, at every level; Dates, Maps, Sets and binary data are new
 * objects of the receiver. Nothing shares memory with `section`. All objects belong to this realm, whatever realm they
 * came from. Throws MalformedBytes for what no build has written, and for a format that this one does not know.
 */
export function decodeData(section: Uint8Array, known: KnownKeys = ownKeys): Readonly<Record<string, unknown>> {
  const reader = new DataReader(section, known);
  const data: Record<string, unknown> = {};
  while (reader.left > 0) {
    const key = reader.key(reader.next());
    const size = reader.varint();
    reader.end = reader.at + size;
    if (reader.end > section.length) throw new MalformedBytes('ran past the end');
    define(data, key, reader.whole());
    reader.end = section.length;
  }
  return Object.freeze(data);
}

/** The value of one entry, as `decodeData` would return it. */
export function decodeValue(bytes: Uint8Array, known: KnownKeys = ownKeys): unknown {
  return new DataReader(bytes, known).whole();
}

/** The value of one key, or undefined if the section does not have it. The other values are skipped, not decoded. */
export function decodeKey(section: Uint8Array, key: string, known: KnownKeys = ownKeys): unknown {
  wanted.reset();
  encodeKey(wanted, key);
  const entry = findEntry(section, wanted.bytes, wanted.length);
  return entry && new DataReader(section, known, entry.valueStart, entry.end).whole();
}

/**
 * Adds a property in a way that does not depend on what an application has added to, or frozen in, `Object.prototype`.
 */
function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (!(key in object)) {
    object[key] = value;
    return;
  }
  if (key === '__proto__') throw new MalformedBytes('a key that is refused');
  if (Object.hasOwn(object, key)) throw new MalformedBytes('a key twice');
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * A section up to this size is decoded to one string, of which its strings are slices. Not for larger sections, because
 * a slice keeps the whole string in memory.
 */
const CUT_FROM_ONE = 4096;

/** Recursive, at most `MAX_LEVELS` deep. */
class DataReader extends ByteReader {
  readonly #known: KnownKeys;
  /** All that is to be read, as text. */
  #text: string | undefined;
  readonly #textStart: number;
  readonly #textEnd: number;

  constructor(bytes: Uint8Array, known: KnownKeys, start = 0, end = bytes.length) {
    super(bytes, start, end);
    this.#known = known;
    this.#textStart = start;
    this.#textEnd = end;
  }

  /**
   * The next byte. That it lies before the end is not checked here but in `whole`, once: past the section there is only
   * `undefined`, which is no tag, and what was read of the next entry is not returned.
   */
  next(): number {
    return this.bytes[this.at++] as number;
  }

  /** The value that takes all bytes that are left. */
  whole(): unknown {
    if (this.next() !== tag.FORMAT) throw new MalformedBytes('a format that is not known here');
    const value = this.#value(this.next(), 1);
    if (this.at !== this.end) throw new MalformedBytes('a value of another size');
    return value;
  }

  /** The key whose tag was read. */
  key(first: number): string {
    const length = first - tag.SHORT_STRING;
    if (length >= 0 && length <= LONGEST_KNOWN) return this.#known.find(this.bytes, this.skip(length), length);
    return this.#string(first);
  }

  #string(first: number): string {
    if (first < tag.SHORT_STRING) return readLongString(this, first);
    if (first >= tag.SMALL_INTEGER) throw new MalformedBytes('not a string');
    return this.#shortString(first - tag.SHORT_STRING);
  }

  #shortString(length: number): string {
    const start = this.skip(length);
    const from = this.#textStart;
    const to = this.#textEnd;
    if (to - from > CUT_FROM_ONE) return textOfBytes.latin1Slice.call(this.bytes, start, start + length);
    this.#text ??= textOfBytes.latin1Slice.call(this.bytes, from, to);
    return this.#text.slice(start - from, start - from + length);
  }

  /** The value whose tag was read, and which is nested in `levels` others. */
  #value(first: number, levels: number): unknown {
    if (first >= tag.SMALL_INTEGER) return first - tag.SMALL_INTEGER;
    if (first >= tag.SHORT_STRING) return this.#shortString(first - tag.SHORT_STRING);
    switch (first) {
      case tag.OBJECT:
        return this.#object(levels + 1);
      case tag.ARRAY:
        return Object.freeze(this.#items(levels + 1));
      case tag.NULL:
        return null;
      case tag.FALSE:
        return false;
      case tag.TRUE:
        return true;
      case tag.INTEGER:
        return this.varint();
      case tag.DOUBLE:
        return this.f64();
      case tag.BIGINT:
        return this.#bigint();
      case tag.DATE:
        return new Date(this.f64());
      case tag.MAP:
        return this.#map(levels + 1);
      case tag.SET:
        return new Set(this.#items(levels + 1));
      case tag.BINARY:
        return this.#binary();
      default:
        return readLongString(this, first);
    }
  }

  #enter(levels: number): void {
    if (levels > tag.MAX_LEVELS) throw new MalformedBytes('too many levels');
  }

  #object(levels: number): Readonly<Record<string, unknown>> {
    this.#enter(levels);
    const object: Record<string, unknown> = {};
    for (let first = this.next(); first !== tag.END; first = this.next()) {
      define(object, this.key(first), this.#value(this.next(), levels));
    }
    return Object.freeze(object);
  }

  #items(levels: number): unknown[] {
    this.#enter(levels);
    const items: unknown[] = [];
    for (let first = this.next(); first !== tag.END; first = this.next()) items.push(this.#value(first, levels));
    return items;
  }

  #map(levels: number): Map<unknown, unknown> {
    this.#enter(levels);
    const map = new Map<unknown, unknown>();
    for (let first = this.next(); first !== tag.END; first = this.next()) {
      map.set(this.#value(first, levels), this.#value(this.next(), levels));
    }
    return map;
  }

  #bigint(): bigint {
    const text = this.#string(this.next());
    if (!/^-?[0-9a-f]+$/.test(text)) throw new MalformedBytes('not a bigint');
    return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
  }

  #binary(): ArrayBuffer | ArrayBufferView {
    const kind = tag.binaryKinds[this.next()];
    const bytes = new Uint8Array(this.raw(this.varint())).buffer;
    if (kind === 'ArrayBuffer') return bytes;
    if (kind === 'Buffer') return Buffer.from(bytes);
    const Kind: unknown = kind && Reflect.get(globalThis, kind);
    if (!isTypedArrayConstructor(Kind)) throw new MalformedBytes('a typed array that is not known here');
    if (bytes.byteLength % Kind.BYTES_PER_ELEMENT !== 0) throw new MalformedBytes('half an element');
    return new Kind(bytes);
  }
}

interface TypedArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (bytes: ArrayBuffer): ArrayBufferView;
}

function isTypedArrayConstructor(value: unknown): value is TypedArrayConstructor {
  return typeof value === 'function';
}
