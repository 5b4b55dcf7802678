import { describe, expect, it } from 'vitest';
import { encoded, encodedPatch } from '../support/any-data.ts';
import { ByteWriter, encodeData, encodePatch, SessionError } from '../support/internals.js';

function refusal(data: unknown, limit?: number): SessionError {
  try {
    encoded(data as object, limit);
  } catch (error) {
    if (error instanceof SessionError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

class Cart {
  item = 'of value';
}
class Register extends Map {}
class Row extends Array {}
class Day extends Date {}
class Block extends Uint8Array {}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function withKey(key: string, value: unknown = 1): object {
  return Object.defineProperty({}, key, { value, enumerable: true });
}

const throwing = {
  get when() {
    throw new Error('of value');
  },
};
const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;
const far: unknown[] = [];
far[2 ** 32 - 2] = 1;
const holey = [1, 0, 2];
delete holey[1];
const named = Object.assign([1], { name: 1 });
const trapped = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new Error('of value');
    },
  },
);
const { proxy: revoked, revoke } = Proxy.revocable([], {});
revoke();

describe('what cannot be stored is refused by its path and type', () => {
  it.each<[string, unknown, string, string]>([
    ['undefined', { a: undefined }, 'data.a', 'undefined'],
    ['undefined in an array', { a: [1, undefined] }, 'data.a[1]', 'undefined'],
    ['a function', { cart: [0, 1, { when: () => 'of value' }] }, 'data.cart[2].when', 'a function'],
    ['a class', { Cart }, 'data.Cart', 'a function'],
    ['toJSON', { a: { toJSON: () => 1 } }, 'data.a.toJSON', 'a function'],
    ['a symbol', { a: Symbol('of value') }, 'data.a', 'a symbol'],
    ['a symbol as a key', { a: { [Symbol('of value')]: 1 } }, 'data.a', 'an object with a symbol as a key'],
    ['a symbol as a key of the data', { [Symbol('of value')]: 1 }, 'data', 'an object with a symbol as a key'],
    ['an instance', { a: new Cart() }, 'data.a', 'an instance of Cart'],
    ['an object over an object', { a: Object.create({}) }, 'data.a', 'an object with a prototype of its own'],
    ['a Map of a subclass', { a: new Register() }, 'data.a', 'an instance of Register'],
    ['an array of a subclass', { a: new Row() }, 'data.a', 'an instance of Row'],
    ['a Date of a subclass', { a: new Day() }, 'data.a', 'an instance of Day'],
    ['a typed array of a subclass', { a: new Block(1) }, 'data.a', 'an instance of Block'],
    ['a RegExp', { a: /of value/ }, 'data.a', 'an instance of RegExp'],
    ['an Error', { a: new Error('of value') }, 'data.a', 'an instance of Error'],
    ['a Promise', { a: Promise.resolve(1) }, 'data.a', 'an instance of Promise'],
    ['a WeakMap', { a: new WeakMap() }, 'data.a', 'an instance of WeakMap'],
    ['a boxed string', { a: Object('of value') }, 'data.a', 'an instance of String'],
    ['a boxed number', { a: Object(1) }, 'data.a', 'an instance of Number'],
    ['a SharedArrayBuffer', { a: new SharedArrayBuffer(1) }, 'data.a', 'an instance of SharedArrayBuffer'],
    ['a DataView', { a: new DataView(new ArrayBuffer(1)) }, 'data.a', 'an instance of DataView'],
    ['a detached ArrayBuffer', { a: detached() }, 'data.a', 'bytes whose buffer is detached'],
    ['a detached view', { a: detachedView() }, 'data.a', 'bytes whose buffer is detached'],
    ['a hole', { a: holey }, 'data.a[1]', 'undefined'],
    ['an array of nothing', { a: new Array(2 ** 32 - 1) }, 'data.a[0]', 'undefined'],
    ['an array with a far end', { a: far }, 'data.a[0]', 'undefined'],
    ['an array with a property', { a: named }, 'data.a', 'an array with properties beside its elements'],
    ['a Map with a property', { a: Object.assign(new Map(), { b: 1 }) }, 'data.a', 'a Map with properties of its own'],
    [
      'a Date with a property',
      { a: Object.assign(new Date(), { b: 1 }) },
      'data.a',
      'a Date with properties of its own',
    ],
    ['a value of a Map', { a: new Map([['of value', () => 1]]) }, 'data.a<entry 0>', 'a function'],
    [
      'a key of a Map',
      {
        a: new Map<unknown, 1>([
          [1, 1],
          [Symbol(), 1],
        ]),
      },
      'data.a<entry 1>',
      'a symbol',
    ],
    ['an element of a Set', { a: new Set([[1, [Symbol()]]]) }, 'data.a<entry 0>[1][0]', 'a symbol'],
    ['a getter that throws', { a: throwing }, 'data.a.when', 'something that throws when it is read'],
    ['a proxy that throws', { a: trapped }, 'data.a', 'something that throws when it is read'],
    ['a revoked proxy', { a: revoked }, 'data.a', 'something that throws when it is read'],
    ['a proxy of a Map', { a: new Proxy(new Map(), {}) }, 'data.a', 'a proxy of something that is neither'],
    ['what only looks like a Map', { a: Object.create(Map.prototype) }, 'data.a', 'an instance of Map'],
    ['__proto__ as a key', withKey('__proto__'), 'data.__proto__', 'a key of this name'],
    [
      '__proto__ as a key further in',
      { a: [JSON.parse('{"__proto__":{}}')] },
      'data.a[0].__proto__',
      'a key of this name',
    ],
    ['a key that is no identifier', { 'a b': { '"': undefined } }, 'data["a b"]["\\""]', 'undefined'],
    ['a key of great length', { ['k'.repeat(99)]: undefined }, `data["${'k'.repeat(40)}…"]`, 'undefined'],
    ['an array as data', [1], 'data', 'an array'],
    ['null as data', null, 'data', 'null'],
    ['a string as data', 'of value', 'data', 'a string'],
    ['a Map as data', new Map(), 'data', 'an instance of Map'],
    ['an instance as data', new Cart(), 'data', 'an instance of Cart'],
    ['undefined as data', undefined, 'data', 'undefined'],
  ])('%s', (_, data, path, met) => {
    const error = refusal(data);
    expect(error.code).toBe('ERR_INVALID_DATA');
    expect(error.outcome).toBe('not-applied');
    expect(error.message).toContain(`\`${path}\``);
    expect(error.message).toContain(`got ${met}`);
    expect(error.message).not.toContain('of value');
    expect(error).not.toHaveProperty('cause');
  });

  it('a view whose memory has shrunk away from under it', () => {
    const buffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 8 }]);
    const view = new Uint8Array(buffer, 4, 4);
    buffer.resize(2);
    expect(refusal({ view }).message).toContain('`data.view`');
  });

  it('a cycle, by the number of its levels', () => {
    expect(refusal(cyclic).message).toContain('more than 64 levels');
    expect(refusal({ list: [cyclic] }).code).toBe('ERR_INVALID_DATA');
  });

  it('a million levels, without running out of stack', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 1_000_000; level++) deep = level % 2 ? [deep] : { deep };
    expect(refusal({ deep }).message).toContain('more than 64 levels');
  });

  it('an error of the application itself is not taken for a refusal of ours', () => {
    const foreign = new SessionError('ERR_STORE');
    const data = {
      get a() {
        throw foreign;
      },
    };
    expect(refusal(data).code).toBe('ERR_INVALID_DATA');
  });

  it('undefined below the keys of a patch', () => {
    expect(() => encodedPatch({ a: { b: undefined } })).toThrow('data.a.b');
    expect(encodedPatch({ a: undefined }).length).toBe(3);
  });
});

describe('what is too large is refused before it is copied', () => {
  const large = 'x'.repeat(100_000_000);
  let bomb: unknown = [1];
  for (let level = 0; level < 60; level++) bomb = [bomb, bomb];
  const keys = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`key${i}`, i]));
  const elements = Array.from({ length: 1_000_000 }, (_, i) => i);

  it.each<[string, unknown]>([
    ['a string', large],
    ['a string as a key', { [large]: 1 }],
    ['a string of many parts', `${large}${large}`],
    ['a string of three bytes a character', '\u2603'.repeat(40_000)],
    ['lone surrogates', '\ud800'.repeat(40_000)],
    ['a Buffer', Buffer.alloc(100_000_000)],
    ['an ArrayBuffer', new ArrayBuffer(100_000_000)],
    ['a bigint', 1n << 100_000_000n],
    ['a negative bigint', -1n << 100_000_000n],
    ['a bomb of shared references', bomb],
    ['a million keys', keys],
    ['a million elements', elements],
    ['a Map of a million entries', new Map(Object.entries(keys))],
    ['a Set of a million elements', new Set(elements)],
  ])('%s', (_, value) => {
    for (const encode of [encodeData, encodePatch]) {
      const writer = new ByteWriter(64);
      expect(() => encode(writer, { value }, 65_536)).toThrow(
        expect.objectContaining({ code: 'ERR_SESSION_TOO_LARGE' }),
      );
      expect(writer.length).toBe(0);
      expect(writer.bytes.length).toBeLessThan(300_000);
    }
  });

  it('the limit is the last size that fits, to the byte', () => {
    for (const data of [
      { a: 1 },
      { a: 'x'.repeat(200) },
      { a: [1, { b: 'x' }], c: new Uint8Array(300) },
      { a: { b: {} } },
    ]) {
      const size = encoded(data).length;
      expect(encoded(data, size).length).toBe(size);
      expect(refusal(data, size - 1).code).toBe('ERR_SESSION_TOO_LARGE');
    }
    expect(encoded({}, 0).length).toBe(0);
  });
});
