/**
 * Encodes session data: one walk over the object that the application passed. It reads each property once, trusts
 * nothing about it, and does not change it. Runs in the thread that writes the data.
 */

import { ByteWriter } from '../bytes.js';
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
import { writeString } from './strings.js';
import * as tag from './tags.js';

/**
 * Appends the entries of a whole data object. A value that occurs twice is stored twice. Throws a SessionError and
 * leaves the writer as it was: ERR_SESSION_TOO_LARGE as soon as the section is known to take more than `limit` bytes,
 * ERR_INVALID_DATA for a value that cannot be stored.
 *
 * A getter in `data` is application code and runs while the writer is half written: the caller has to prevent that it
 * reaches this writer.
 */
export function encodeData(writer: ByteWriter, data: object, limit: number): void {
  encodeEntries(writer, data, limit, false);
}

/**
 * As `encodeData`, for a change of some keys: a key whose value is `undefined` becomes an entry of size 0, and
 * `mergeEntries` removes it.
 */
export function encodePatch(writer: ByteWriter, patch: object, limit: number): void {
  encodeEntries(writer, patch, limit, true);
}

/**
 * Reused from call to call. Undefined during a walk: application code that the walk runs into may encode other data
 * meanwhile.
 */
let idle: Walk | undefined;

function encodeEntries(writer: ByteWriter, data: unknown, limit: number, removals: boolean): void {
  const start = writer.length;
  const walk = idle ?? new Walk();
  idle = undefined;
  try {
    walk.entries(writer, start + limit, data, removals);
  } catch (error) {
    writer.length = start;
    throw error === walk.refusal ? error : walk.refuse('something that throws when it is read');
  } finally {
    idle = walk;
  }
}

/**
 * `for in` is several times faster than `Object.keys`, but also enumerates properties added to a prototype. V8
 * optimizes this call within such a loop, and does not optimize `Object.hasOwn`.
 */
const { hasOwnProperty: hasOwn } = Object.prototype;

/** Recursive, at most `MAX_LEVELS` deep. */
class Walk {
  /** The refusal that this walk threw, to tell it from what the application's getters and proxies throw. */
  refusal: SessionError | undefined;
  #writer = new ByteWriter(0);
  #end = 0;
  /**
   * The path to the current value: a property's name, an element's index, or −1 − n for entry n of a Map or Set. Valid
   * up to `#depth`.
   */
  readonly #path: (string | number)[] = [];
  #depth = 0;

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

  #bytesLeft(): number {
    return this.#end - this.#writer.length;
  }

  /** Writes a section that must not go beyond `end`. */
  entries(writer: ByteWriter, end: number, data: unknown, removals: boolean): void {
    this.#writer = writer;
    this.#end = end;
    this.#depth = 0;
    this.refusal = undefined;
    if (typeof data !== 'object' || data === null || Array.isArray(data)) throw this.refuse(describe(data));
    if (!isPlainPrototype(Object.getPrototypeOf(data))) throw this.refuse(describe(data));
    const from = data as Readonly<Record<string, unknown>>;
    for (const key in from) {
      if (!hasOwn.call(from, key)) continue;
      this.#step(0, key);
      const value = from[key];
      this.#string(key);
      const at = writer.reserve(1);
      if (value !== undefined || !removals) {
        writer.u8(tag.FORMAT);
        this.#value(value);
      }
      this.#size(at);
      if (writer.length > this.#end) throw this.#tooLarge();
    }
    this.#depth = 0;
    if (hasSymbols(data)) throw this.refuse('an object with a symbol as a key');
  }

  /** Extends the path of the object at `depth` by one of its properties. */
  #step(depth: number, key: string): void {
    this.#path[depth] = key;
    this.#depth = depth + 1;
    if (key === '__proto__') throw this.refuse('a key of this name');
  }

  /** Fills in the size of what was written after `at`, where one byte was reserved for it. */
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
    const writer = this.#writer;
    // Each value takes at least one byte.
    if (writer.length >= this.#end) throw this.#tooLarge();
    if (typeof value === 'string') this.#string(value);
    else if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'boolean') writer.u8(value ? tag.TRUE : tag.FALSE);
    else if (value === null) writer.u8(tag.NULL);
    else if (typeof value === 'object') this.#object(value);
    else if (typeof value === 'bigint') this.#bigint(value);
    else throw this.refuse(describe(value));
  }

  #string(text: string): void {
    if (!writeString(this.#writer, text, this.#bytesLeft())) throw this.#tooLarge();
  }

  #number(value: number): void {
    const writer = this.#writer;
    if (value >>> 0 !== value || Object.is(value, -0)) {
      writer.u8(tag.DOUBLE);
      writer.f64(value);
    } else if (value < 0x80) writer.u8(tag.SMALL_INTEGER | value);
    else {
      writer.u8(tag.INTEGER);
      writer.varint(value);
    }
  }

  #bigint(value: bigint): void {
    // Whether its digits, of four bits each, fit is checked before they are written.
    if (BigInt.asIntN(4 * Math.max(this.#bytesLeft(), 0), value) !== value) throw this.#tooLarge();
    this.#writer.u8(tag.BIGINT);
    this.#string(value.toString(16));
  }

  #object(value: object): void {
    const depth = this.#depth;
    const prototype: object | null = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (!isArrayPrototype(prototype)) throw this.refuse(describe(value));
      this.#array(value, depth);
    } else if (prototype === Object.prototype || prototype === null) this.#plain(value, depth);
    else this.#builtIn(value, prototype, depth);
    this.#depth = depth;
  }

  #open(container: number, depth: number): void {
    if (depth >= tag.MAX_LEVELS) throw this.refuse(`more than ${tag.MAX_LEVELS} levels`);
    this.#writer.u8(container);
  }

  #plain(value: object, depth: number): void {
    this.#open(tag.OBJECT, depth);
    const from = value as Readonly<Record<string, unknown>>;
    for (const key in from) {
      if (!hasOwn.call(from, key)) continue;
      this.#step(depth, key);
      const property = from[key];
      this.#string(key);
      this.#value(property);
    }
    this.#depth = depth;
    if (hasSymbols(value)) throw this.refuse('an object with a symbol as a key');
    this.#writer.u8(tag.END);
  }

  #array(value: unknown[], depth: number): void {
    const length = value.length;
    // A proxy can return any length.
    if (length >>> 0 !== length) throw this.refuse('an array without a length');
    this.#open(tag.ARRAY, depth);
    for (let i = 0; i < length; i++) {
      this.#path[depth] = i;
      this.#depth = depth + 1;
      this.#value(value[i]);
    }
    this.#depth = depth;
    if (Object.keys(value).length !== length || hasSymbols(value)) {
      throw this.refuse('an array with properties beside its elements');
    }
    this.#writer.u8(tag.END);
  }

  #builtIn(value: object, prototype: object, depth: number): void {
    const kind = kindOf(value, prototype);
    if (kind === undefined) {
      if (!isPlainPrototype(prototype)) throw this.refuse(describe(value));
      this.#plain(value, depth);
      return;
    }
    // A typed array's own properties beside its elements are not looked for: that would create a string for each index.
    if (kind === 'TypedArray') {
      this.#binary(typedArrayKind(value, prototype), bytesOfTypedArray(value));
      return;
    }
    if (Object.keys(value).length > 0 || hasSymbols(value)) throw this.refuse(`a ${kind} with properties of its own`);
    if (kind === 'Map') this.#collection(tag.MAP, 2, this.#itemsOf(value, kind), depth);
    else if (kind === 'Set') this.#collection(tag.SET, 1, this.#itemsOf(value, kind), depth);
    else if (kind === 'ArrayBuffer') this.#binary(tag.binaryKinds.indexOf(kind), bytesOfArrayBuffer(value));
    else {
      this.#writer.u8(tag.DATE);
      this.#writer.f64(Date.prototype.getTime.call(value));
    }
  }

  #binary(kind: number, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) throw this.refuse('bytes whose buffer is detached');
    if (bytes.length > this.#bytesLeft()) throw this.#tooLarge();
    this.#writer.u8(tag.BINARY);
    this.#writer.u8(kind);
    this.#writer.varint(bytes.length);
    this.#writer.raw(bytes);
  }

  /** Writes a Map or Set from a list of its items. They are listed first, because a getter among them may change it. */
  #collection(container: number, each: 1 | 2, items: readonly unknown[], depth: number): void {
    this.#open(container, depth);
    for (let i = 0; i < items.length; i++) {
      this.#path[depth] = -1 - Math.floor(i / each);
      this.#depth = depth + 1;
      this.#value(items[i]);
    }
    this.#writer.u8(tag.END);
  }

  #itemsOf(value: object, kind: 'Map' | 'Set'): unknown[] {
    const items: unknown[] = [];
    const take = (item: unknown) => {
      if (items.push(item) > this.#bytesLeft()) throw this.#tooLarge();
    };
    if (kind === 'Set') Set.prototype.forEach.call(value as Set<unknown>, take);
    else Map.prototype.forEach.call(value as Map<unknown, unknown>, (item, key) => [key, item].forEach(take));
    return items;
  }
}
