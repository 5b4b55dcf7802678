/**
 * Decodes session data. Whatever the bytes say, it builds nothing but plain data, in time linear in their number. No
 * length or count is trusted before the bytes for it are known to be there. Runs in every thread that reads data.
 */

import { Buffer } from 'node:buffer';
import { MalformedBytes } from '../bytes.js';
import { type KnownKeys, StringReader, textOfBytes } from './strings.js';
import * as tag from './tags.js';

/**
 * The data of a section. Plain objects and arrays are frozen, at every level; Dates, Maps, Sets and binary data are new
 * objects of the receiver. Nothing shares memory with `section`. All objects belong to this realm, whatever realm they
 * came from. With `known`, decoding is faster.
 */
export function decodeData(section: Uint8Array, known?: KnownKeys): Readonly<Record<string, unknown>> {
  const reader = new DataReader(section, known);
  const data: Record<string, unknown> = {};
  while (reader.left > 0) {
    const key = reader.key(reader.u8());
    const size = reader.varint();
    const start = reader.skip(size);
    reader.at = start;
    reader.end = start + size;
    define(data, key, reader.value(1));
    if (reader.left > 0) throw new MalformedBytes('bytes after the value');
    reader.end = section.length;
  }
  return Object.freeze(data);
}

/** The value of one entry. */
export function decodeValue(bytes: Uint8Array, known?: KnownKeys): unknown {
  const reader = new DataReader(bytes, known);
  const value = reader.value(1);
  if (reader.left > 0) throw new MalformedBytes('bytes after the value');
  return value;
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

/** Recursive, at most `MAX_LEVELS` deep. */
class DataReader extends StringReader {
  /** The next value, which is nested in `levels` others. */
  value(levels: number): unknown {
    const first = this.u8();
    if (first >= tag.SMALL_INTEGER) return first - tag.SMALL_INTEGER;
    if (first >= tag.SHORT_STRING) return this.shortString(first - tag.SHORT_STRING);
    if (first >= tag.SMALL_ARRAY) return this.#array(first - tag.SMALL_ARRAY, levels);
    if (first >= tag.SMALL_OBJECT) return this.#object(first - tag.SMALL_OBJECT, levels);
    switch (first) {
      case tag.NULL:
        return null;
      case tag.FALSE:
        return false;
      case tag.TRUE:
        return true;
      case tag.POSITIVE:
        return this.varint();
      case tag.NEGATIVE:
        return -1 - this.varint();
      case tag.LARGE:
        return this.varint() * 2 ** 32 + this.varint();
      case tag.DOUBLE:
        return this.f64();
      case tag.BIGINT64:
        return this.view.getBigInt64(this.skip(8), true);
      case tag.BIGINT_POSITIVE:
        return this.#magnitude();
      case tag.BIGINT_NEGATIVE:
        return -this.#magnitude();
      case tag.DATE:
        return this.#date();
      case tag.OBJECT:
        return this.#largeObject(levels);
      case tag.ARRAY:
        return this.#array(this.varint(), levels);
      case tag.MAP:
        return this.#map(this.varint(), levels);
      case tag.SET:
        return this.#set(this.varint(), levels);
      case tag.ARRAY_BUFFER:
        return this.#bytes();
      case tag.TYPED_ARRAY:
        return this.#typedArray();
      default:
        return this.longString(first);
    }
  }

  #date(): Date {
    const first = this.bytes[this.at] ?? tag.NULL;
    if (first < tag.POSITIVE || (first > tag.DOUBLE && first < tag.SMALL_INTEGER))
      throw new MalformedBytes('not a time');
    return new Date(this.value(tag.MAX_LEVELS) as number);
  }

  #magnitude(): bigint {
    const size = this.varint();
    const start = this.skip(size);
    return BigInt(`0x0${textOfBytes.hexSlice.call(this.bytes, start, start + size)}`);
  }

  /** Each of `count` values takes at least one byte. */
  #enter(count: number, levels: number): void {
    if (levels >= tag.MAX_LEVELS) throw new MalformedBytes('too many levels');
    if (count > this.left) throw new MalformedBytes('ran past the end');
  }

  #object(count: number, levels: number): Readonly<Record<string, unknown>> {
    this.#enter(2 * count, levels);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) define(object, this.key(this.u8()), this.value(levels + 1));
    return Object.freeze(object);
  }

  #largeObject(levels: number): Readonly<Record<string, unknown>> {
    this.#enter(1, levels);
    const object: Record<string, unknown> = {};
    for (let first = this.u8(); first !== tag.END; first = this.u8()) {
      define(object, this.key(first), this.value(levels + 1));
    }
    return Object.freeze(object);
  }

  #array(count: number, levels: number): readonly unknown[] {
    this.#enter(count, levels);
    const array: unknown[] = [];
    for (let i = 0; i < count; i++) array.push(this.value(levels + 1));
    return Object.freeze(array);
  }

  #map(count: number, levels: number): Map<unknown, unknown> {
    this.#enter(2 * count, levels);
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < count; i++) map.set(this.value(levels + 1), this.value(levels + 1));
    return map;
  }

  #set(count: number, levels: number): Set<unknown> {
    this.#enter(count, levels);
    const set = new Set<unknown>();
    for (let i = 0; i < count; i++) set.add(this.value(levels + 1));
    return set;
  }

  #bytes(): ArrayBuffer {
    const source = this.raw(this.varint());
    const own = new Uint8Array(source.length);
    own.set(source);
    return own.buffer;
  }

  #typedArray(): ArrayBufferView {
    const kind = tag.typedArrays[this.u8()];
    const bytes = this.#bytes();
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
