/**
 * Session data to bytes: one walk over what the application handed in, that reads each property once, trusts none of it, and leaves it as it was.
 * Runs in the thread that writes the data.
 */

import type { ByteWriter } from '../bytes.js';
import { SessionError } from '../errors.js';
import {
  bytesOfArrayBuffer,
  bytesOfTypedArray,
  describe,
  hasSymbols,
  isArrayPrototype,
  isPlainPrototype,
  kindOf,
  typedArrayKind,
} from './kinds.js';
import { pathOf } from './path.js';
import { textOfBytes, writeString } from './strings.js';
import * as tag from './tags.js';

/**
 * Appends the entries of a whole data object. A value that is met twice is stored twice.
 * Throws a SessionError and leaves the writer as it was: ERR_SESSION_TOO_LARGE as soon as the section is known to take more than `limit` bytes,
 * ERR_INVALID_DATA where it holds what cannot be stored.
 *
 * A getter in `data` is the application's code, and runs while the writer is half written: the caller sees to it that it cannot get at this writer.
 */
export function encodeData(writer: ByteWriter, data: object, limit: number): void {
  encodeEntries(writer, data, limit, false);
}

/** As `encodeData`, for a change of some keys: one whose value is `undefined` becomes an entry of size 0, and is removed by `mergeEntries`. */
export function encodePatch(writer: ByteWriter, patch: object, limit: number): void {
  encodeEntries(writer, patch, limit, true);
}

/** Appends one key as it stands in an entry. `key` is short of the limit of its session, or no session has it. */
export function encodeKey(writer: ByteWriter, key: string): void {
  writeString(writer, key, Number.POSITIVE_INFINITY);
}

function encodeEntries(writer: ByteWriter, data: unknown, limit: number, removals: boolean): void {
  const start = writer.length;
  const walk = new Walk(writer, start + limit);
  try {
    walk.entries(data, removals);
  } catch (error) {
    writer.length = start;
    throw error === walk.refusal ? error : walk.refuse('something that throws when it is read');
  }
}

/** Recursive, as deep as `MAX_LEVELS` and no deeper. */
class Walk {
  /** The refusal that was made, to tell it from what the application's getters and proxies throw. */
  refusal: SessionError | undefined;
  readonly #writer: ByteWriter;
  readonly #end: number;
  /** The way to the value at hand: a property's name, an element's index, or −1 − n for the entry n of a Map or Set. Valid up to `#depth`. */
  readonly #path: (string | number)[] = [];
  #depth = 0;

  constructor(writer: ByteWriter, end: number) {
    this.#writer = writer;
    this.#end = end;
  }

  refuse(met: string): SessionError {
    const path = pathOf(this.#path.slice(0, this.#depth));
    this.refusal = new SessionError(
      'ERR_INVALID_DATA',
      `Expected \`${path}\` to be data that can be stored, got ${met}`,
    );
    return this.refusal;
  }

  #tooLarge(): SessionError {
    this.refusal = new SessionError('ERR_SESSION_TOO_LARGE');
    return this.refusal;
  }

  get #room(): number {
    return this.#end - this.#writer.length;
  }

  entries(data: unknown, removals: boolean): void {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) throw this.refuse(describe(data));
    if (!isPlainPrototype(Object.getPrototypeOf(data))) throw this.refuse(describe(data));
    const writer = this.#writer;
    for (const key of this.#keys(data)) {
      const value = this.#step(0, key, data);
      this.#string(key);
      const at = writer.reserve(1);
      if (value !== undefined || !removals) this.#value(value);
      this.#size(at);
      if (writer.length > this.#end) throw this.#tooLarge();
    }
  }

  /** The names of the properties, if there can be room for them. */
  #keys(data: object): string[] {
    const keys = Object.keys(data);
    if (hasSymbols(data)) throw this.refuse('an object with a symbol as a key');
    if (2 * keys.length > this.#room) throw this.#tooLarge();
    return keys;
  }

  /** Goes from the object that lies `depth` steps deep to one of its properties: the only place where one is read. */
  #step(depth: number, key: string, from: object): unknown {
    this.#path[depth] = key;
    this.#depth = depth + 1;
    if (key === '__proto__') throw this.refuse('a key of this name');
    return (from as Record<string, unknown>)[key];
  }

  /** Fills in the size of what was written after `at`, where one byte was left for it. */
  #size(at: number): void {
    const writer = this.#writer;
    const size = writer.length - at - 1;
    if (size > 0x7f) {
      const more = size < 1 << 14 ? 1 : size < 1 << 21 ? 2 : size < 1 << 28 ? 3 : 4;
      writer.reserve(more);
      writer.bytes.copyWithin(at + 1 + more, at + 1, at + 1 + size);
      const end = writer.length;
      writer.length = at;
      writer.varint(size);
      writer.length = end;
    } else writer.bytes[at] = size;
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#writer.u8(value ? tag.TRUE : tag.FALSE);
      case 'bigint':
        return this.#bigint(value);
      case 'object':
        return value === null ? this.#writer.u8(tag.NULL) : this.#object(value);
      default:
        throw this.refuse(describe(value));
    }
  }

  #string(text: string): void {
    if (!writeString(this.#writer, text, this.#room)) throw this.#tooLarge();
  }

  #number(value: number): void {
    const writer = this.#writer;
    if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
      if (value < 0x80) return writer.u8(tag.SMALL_INTEGER | value);
      writer.u8(tag.POSITIVE);
      return writer.varint(value);
    }
    if (value < 0 && (value | 0) === value) {
      writer.u8(tag.NEGATIVE);
      return writer.varint(-1 - value);
    }
    writer.u8(tag.DOUBLE);
    writer.f64(value);
  }

  #bigint(value: bigint): void {
    const writer = this.#writer;
    if (BigInt.asIntN(64, value) === value) {
      writer.u8(tag.BIGINT64);
      const at = writer.reserve(8);
      writer.view.setBigInt64(at, value, true);
      return;
    }
    // Before any copy is made of it: whether it fits at all.
    if (BigInt.asIntN(8 * Math.max(this.#room, 0), value) !== value) throw this.#tooLarge();
    const digits = (value < 0n ? -value : value).toString(16);
    const size = Math.ceil(digits.length / 2);
    writer.u8(value < 0n ? tag.BIGINT_NEGATIVE : tag.BIGINT_POSITIVE);
    writer.varint(size);
    const at = writer.reserve(size);
    textOfBytes.hexWrite.call(writer.bytes, digits.padStart(2 * size, '0'), at, size);
  }

  #object(value: object): void {
    const depth = this.#depth;
    const isArray = Array.isArray(value);
    const prototype: object | null = Object.getPrototypeOf(value);
    if (isArray && isArrayPrototype(prototype)) this.#array(value, depth);
    else if (!isArray && (prototype === Object.prototype || prototype === null)) this.#plain(value, depth);
    else if (!isArray && kindOf(value, prototype) !== undefined) this.#special(value, prototype, depth);
    else if (!isArray && isPlainPrototype(prototype)) this.#plain(value, depth);
    else throw this.refuse(describe(value));
    this.#depth = depth;
    if (this.#writer.length > this.#end) throw this.#tooLarge();
  }

  /** The head of an object, array, Map or Set. */
  #open(depth: number, small: number, large: number, count: number): void {
    if (depth >= tag.MAX_LEVELS) throw this.refuse(`more than ${tag.MAX_LEVELS} levels`);
    const writer = this.#writer;
    if (small !== 0 && count <= tag.MAX_SMALL) return writer.u8(small | count);
    writer.u8(large);
    writer.varint(count);
  }

  #plain(value: object, depth: number): void {
    const keys = this.#keys(value);
    this.#open(depth, tag.SMALL_OBJECT, tag.OBJECT, keys.length);
    for (const key of keys) {
      const property = this.#step(depth, key, value);
      this.#string(key);
      this.#value(property);
      if (this.#writer.length > this.#end) throw this.#tooLarge();
    }
  }

  #array(value: unknown[], depth: number): void {
    const length = value.length;
    // A proxy may say anything.
    if (length >>> 0 !== length) throw this.refuse('an array without a length');
    this.#open(depth, tag.SMALL_ARRAY, tag.ARRAY, length);
    for (let i = 0; i < length; i++) {
      this.#path[depth] = i;
      this.#depth = depth + 1;
      this.#value(value[i]);
      if (this.#writer.length > this.#end) throw this.#tooLarge();
    }
    this.#depth = depth;
    if (Object.keys(value).length !== length || hasSymbols(value)) {
      throw this.refuse('an array with properties beside its elements');
    }
  }

  #special(value: object, prototype: object | null, depth: number): void {
    const kind = kindOf(value, prototype);
    const writer = this.#writer;
    if (kind === 'TypedArray') {
      writer.u8(tag.TYPED_ARRAY);
      writer.u8(typedArrayKind(value, prototype as object));
      return this.#bytes(bytesOfTypedArray(value));
    }
    if (Object.keys(value).length > 0 || hasSymbols(value)) throw this.refuse(`a ${kind} with properties of its own`);
    if (kind === 'Map') return this.#collection(tag.MAP, 2, entriesOf(value as Map<unknown, unknown>), depth);
    if (kind === 'Set') return this.#collection(tag.SET, 1, elementsOf(value as Set<unknown>), depth);
    if (kind === 'Date') {
      writer.u8(tag.DATE);
      return writer.f64(Date.prototype.getTime.call(value));
    }
    writer.u8(tag.ARRAY_BUFFER);
    this.#bytes(bytesOfArrayBuffer(value));
  }

  #bytes(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) throw this.refuse('bytes whose buffer is detached');
    if (bytes.length > this.#room) throw this.#tooLarge();
    this.#writer.varint(bytes.length);
    this.#writer.raw(bytes);
  }

  #collection(large: number, each: number, items: unknown[], depth: number): void {
    this.#open(depth, 0, large, items.length / each);
    for (let i = 0; i < items.length; i++) {
      this.#path[depth] = -1 - Math.floor(i / each);
      this.#depth = depth + 1;
      this.#value(items[i]);
      if (this.#writer.length > this.#end) throw this.#tooLarge();
    }
  }
}

function entriesOf(map: Map<unknown, unknown>): unknown[] {
  const items: unknown[] = [];
  Map.prototype.forEach.call(map, (value, key) => items.push(key, value));
  return items;
}

function elementsOf(set: Set<unknown>): unknown[] {
  const items: unknown[] = [];
  Set.prototype.forEach.call(set, (element) => items.push(element));
  return items;
}
