/**
 * Copies the data of a call that may have to wait: what is checked is then what is stored, even if the caller changes
 * its objects in the meantime. Runs in the threads that write.
 */

import { isArrayPrototype, isPlainPrototype, kindOf } from '../protocol/data/kinds.js';
import { MAX_LEVELS } from '../protocol/data/tags.js';
import { SessionError } from '../protocol/errors.js';

/** What a value counts, in bytes, in addition to its characters or bytes. */
const VALUE_BYTES = 8;

export interface Copied<T> {
  readonly value: T;
  /** The approximate size of the copy. */
  readonly bytes: number;
}

/**
 * A deep copy, for which each property is read once. What cannot be stored (class instances, functions, what lies too
 * deep) is taken over as it is: the schema may convert it, and the encoder refuses what is left. Throws
 * ERR_INVALID_DATA if reading a property throws.
 */
export function copyData<T>(data: T): Copied<T> {
  const copies = new Copies();
  try {
    return { value: copies.of(data, 0) as T, bytes: copies.bytes };
  } catch {
    throw unreadable();
  }
}

export function unreadable(): SessionError {
  const text = 'Expected `data` to be data that can be stored, got something that cannot be read';
  return new SessionError('ERR_INVALID_DATA', text);
}

class Copies {
  bytes = 0;
  /** Each object is copied once, so that repeated references cost nothing and circular data ends. */
  readonly #copies = new Map<object, unknown>();

  of(value: unknown, depth: number): unknown {
    this.bytes += VALUE_BYTES;
    if (typeof value === 'string') this.bytes += value.length;
    if (typeof value !== 'object' || value === null || depth >= MAX_LEVELS) return value;
    return this.#copies.get(value) ?? this.#object(value, depth + 1);
  }

  #begin<T extends object>(value: object, copy: T): T {
    this.#copies.set(value, copy);
    return copy;
  }

  #object(value: object, depth: number): unknown {
    const prototype: object | null = Object.getPrototypeOf(value);
    if (Array.isArray(value)) {
      if (!isArrayPrototype(prototype) || Reflect.ownKeys(value).length !== value.length + 1) return value;
      const array = this.#begin<unknown[]>(value, []);
      for (let i = 0; i < value.length; i++) array.push(this.of(value[i], depth));
      return array;
    }
    if (prototype !== null && !isPlainPrototype(prototype)) return this.#builtIn(value, prototype, depth);
    const object = this.#begin<object>(value, Object.create(prototype));
    for (const key of Reflect.ownKeys(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, key)) continue;
      if (typeof key === 'string') this.bytes += key.length;
      const property = this.of((value as Record<PropertyKey, unknown>)[key], depth);
      Object.defineProperty(object, key, { value: property, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  #builtIn(value: object, prototype: object, depth: number): unknown {
    const kind = kindOf(value, prototype);
    if (kind === 'TypedArray') {
      const copy = Uint8Array.prototype.slice.call(value as Uint8Array);
      this.bytes += copy.byteLength;
      return this.#begin(value, copy);
    }
    // The encoder refuses a built-in object with properties of its own.
    if (kind === undefined || Reflect.ownKeys(value).length > 0) return value;
    if (kind === 'Date') return this.#begin(value, new Date(Date.prototype.getTime.call(value)));
    if (kind === 'ArrayBuffer') {
      const copy = ArrayBuffer.prototype.slice.call(value as ArrayBuffer, 0);
      this.bytes += copy.byteLength;
      return this.#begin(value, copy);
    }
    if (kind === 'Set') {
      const set = this.#begin(value, new Set());
      for (const item of Set.prototype.values.call(value as Set<unknown>)) set.add(this.of(item, depth));
      return set;
    }
    const map = this.#begin(value, new Map());
    for (const [key, item] of Map.prototype.entries.call(value as Map<unknown, unknown>)) {
      map.set(this.of(key, depth), this.of(item, depth));
    }
    return map;
  }
}
