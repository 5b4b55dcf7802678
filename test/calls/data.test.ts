import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyData, encoded, field, inherited, isSame } from '../support/any-data.ts';
import { ByteWriter, decodeData, decodeValue, encodeData, findEntry, KnownKeys } from '../support/internals.js';

const back = (value: unknown) => field(decodeData(encoded({ value })), 'value');

describe('what goes in comes out', () => {
  it('any data comes back exactly, with and without known keys', () => {
    const known = new KnownKeys();
    const before = inherited();
    fc.assert(
      fc.property(anyData, (data) => {
        const section = encoded(data);
        expect(isSame(decodeData(section), data)).toBe(true);
        expect(isSame(decodeData(section, known), data)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(inherited()).toEqual(before);
  });

  it('the same data gives the same bytes', () => {
    fc.assert(
      fc.property(anyData, (data) => {
        expect(Buffer.compare(encoded(decodeData(encoded(data))), encoded(data))).toBe(0);
      }),
    );
  });

  it('a lone surrogate comes back as it went in', () => {
    for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800', `${'x'.repeat(100)}\udbff`, '\ud83d\ude00\ud83d']) {
      expect(back(text)).toBe(text);
      expect(Object.keys(decodeData(encoded({ [text]: 1 })))).toEqual([text]);
    }
  });

  it('strings of all lengths come back, whether of ASCII, Latin-1 or any other characters', () => {
    for (const unit of ['a', '\xff', '\u0100', '\u{1f600}']) {
      for (const length of [0, 1, 62, 63, 64, 65, 127, 128, 5000])
        expect(back(unit.repeat(length))).toBe(unit.repeat(length));
    }
  });

  it('−0, NaN and the infinities come back', () => {
    for (const value of [-0, Number.NaN, Infinity, -Infinity]) expect(back(value)).toBe(value);
  });

  it('bigints of any size come back', () => {
    for (const bits of [0n, 63n, 64n, 65n, 1000n, 100_003n]) {
      for (const value of [1n << bits, -(1n << bits), (1n << bits) - 1n, -(1n << bits) - 1n])
        expect(back(value)).toBe(value);
    }
  });

  it('an invalid Date comes back as one', () => {
    expect((back(new Date(Number.NaN)) as Date).getTime()).toBeNaN();
  });

  it('half-precision numbers come back where the runtime has them', () => {
    const Float16 = Reflect.get(globalThis, 'Float16Array');
    if (Float16 === undefined) return;
    const came = back(Float16.from([1.5, -0, 65504]));
    expect(came).toBeInstanceOf(Float16);
    expect([...(came as Iterable<number>)]).toEqual([1.5, -0, 65504]);
  });

  it('a Buffer comes back as a Buffer with memory of its own', () => {
    const came = back(Buffer.from('secret of a pool')) as Buffer;
    expect(Buffer.isBuffer(came)).toBe(true);
    expect(came.toString()).toBe('secret of a pool');
    expect(came.buffer.byteLength).toBe(came.length);
  });

  it('an array over shared memory is copied out of it', () => {
    const shared = new Uint16Array(new SharedArrayBuffer(8), 2, 2).fill(7);
    const came = back(shared) as Uint16Array;
    expect(came).toEqual(new Uint16Array([7, 7]));
    expect(came.buffer).toBeInstanceOf(ArrayBuffer);
  });

  it('data made in another realm is stored like data of this one', () => {
    const foreign = runInNewContext(
      '({ list: [1, { when: new Date(5) }], map: new Map([[1, new Set([2])]]), raw: new Uint8Array(2) })',
    );
    const own = { list: [1, { when: new Date(5) }], map: new Map([[1, new Set([2])]]), raw: new Uint8Array(2) };
    expect(isSame(decodeData(encoded(foreign)), own)).toBe(true);
  });

  it('an object without a prototype comes back as a plain object', () => {
    const bare = Object.assign(Object.create(null), { inner: Object.create(null) });
    expect(decodeData(encoded(bare))).toStrictEqual({ inner: {} });
  });

  it('a proxy of a plain object or array is read like what it stands for', () => {
    const proxied = new Proxy({ list: new Proxy([1, 2], {}) }, {});
    expect(decodeData(encoded(proxied))).toStrictEqual({ list: [1, 2] });
  });

  it('keys stand in the order that JavaScript gives them', () => {
    expect(Object.keys(decodeData(encoded({ b: 1, 10: 2, a: 3, 9: 4 })))).toEqual(['9', '10', 'b', 'a']);
  });

  it('what is not enumerable, or inherited, is not part of the data', () => {
    const data = Object.defineProperty({ shown: 1 }, 'hidden', { value: () => {} });
    Object.defineProperty(data, Symbol('hidden'), { value: 1 });
    Object.defineProperty(Object.prototype, 'everywhere', { value: 1, enumerable: true, configurable: true });
    let section: Uint8Array;
    try {
      section = encoded(data);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'everywhere');
    }
    expect(decodeData(section)).toStrictEqual({ shown: 1 });
  });

  it('64 levels are stored, the data being the first', () => {
    let data: object = { leaf: 1 };
    for (let level = 1; level < 64; level++) data = level % 2 ? { in: data } : { in: [data].at(0) };
    expect(isSame(decodeData(encoded(data)), data)).toBe(true);
    expect(() => encoded({ data })).toThrow('more than 64 levels');
  });

  it('levels are counted through arrays, Maps and Sets alike', () => {
    let value: unknown = 1;
    for (let level = 1; level < 64; level++) value = [[value], new Map([[1, value]]), new Set([value])][level % 3];
    expect(isSame(back(value), value)).toBe(true);
    expect(() => encoded({ value: [value] })).toThrow('more than 64 levels');
  });
});

describe('what is handed out', () => {
  const data = {
    list: [{ deep: [1] }],
    when: new Date(1),
    map: new Map([['k', { frozen: true }]]),
    raw: new Uint8Array([1, 2]),
    buffer: new ArrayBuffer(2),
  };

  it('plain objects and arrays are frozen all the way down, in Maps too', () => {
    const got = decodeData(encoded(data)) as typeof data;
    for (const each of [got, got.list, got.list[0], got.list[0]?.deep, got.map.get('k')])
      expect(Object.isFrozen(each)).toBe(true);
  });

  it('nothing shares memory with the section it was read from, nor with a pool', () => {
    const pooled = Buffer.from(encoded(data));
    const got = decodeData(pooled) as typeof data;
    pooled.fill(0xff);
    expect(isSame(got, data)).toBe(true);
    for (const each of [got.raw.buffer, got.buffer]) expect(each.byteLength).toBe(2);
  });

  it('two readings are two sets of Dates, Maps and bytes', () => {
    const section = encoded(data);
    const [a, b] = [decodeData(section), decodeData(section)] as (typeof data)[];
    a?.when.setTime(99);
    a?.map.clear();
    a?.raw.fill(9);
    expect(isSame(b, data)).toBe(true);
  });

  it('one value is read by itself', () => {
    const section = encoded({ a: 1, b: [new Date(3)] });
    const key = encoded({ b: 0 }).slice(0, 2);
    const { valueStart, end } = findEntry(section, key) ?? { valueStart: 0, end: 0 };
    expect(decodeValue(section.subarray(valueStart, end))).toEqual([new Date(3)]);
  });
});

describe('reading what the application handed in', () => {
  it('each property is read exactly once', () => {
    const reads: string[] = [];
    const watch = (target: object): object =>
      new Proxy(target, {
        get(from, key) {
          reads.push(String(key));
          return Reflect.get(from, key);
        },
      });
    encoded(watch({ a: 1, b: watch({ c: 2, 20: 3 }), list: watch([4, 5]) }));
    expect(reads).toEqual(['a', 'b', '20', 'c', 'list', 'length', '0', '1']);
  });

  it('a getter is stored as what it gave', () => {
    let given = 0;
    const data = {
      get next() {
        return ++given;
      },
    };
    expect(decodeData(encoded(data))).toEqual({ next: 1 });
    expect(given).toBe(1);
  });

  it('a getter that changes a Map or array under the walk does no harm', () => {
    const map = new Map<string, unknown>([
      [
        'late',
        {
          get gone() {
            map.clear();
            return 1;
          },
        },
      ],
      ['kept', 2],
    ]);
    const list: unknown[] = [
      {
        get grown() {
          list.push(3);
          return 1;
        },
      },
      2,
    ];
    expect(decodeData(encoded({ map }))).toEqual({
      map: new Map<string, unknown>([
        ['late', { gone: 1 }],
        ['kept', 2],
      ]),
    });
    expect(() => encoded({ list })).toThrow('data.list');
  });

  it('the application may go on changing its data: what was written stays', () => {
    const data = { list: [1], raw: new Uint8Array([1]), map: new Map([[1, 1]]) };
    const section = encoded(data);
    data.list.push(2);
    data.raw[0] = 2;
    data.map.clear();
    expect(decodeData(section)).toEqual({ list: [1], raw: new Uint8Array([1]), map: new Map([[1, 1]]) });
  });

  it('no prototype is touched by keys that have a name in it', () => {
    const before = inherited();
    const data = {
      constructor: 1,
      prototype: { constructor: { prototype: 2 } },
      toString: 3,
      hasOwnProperty: 4,
      valueOf: [5],
    };
    const got = decodeData(encoded(data));
    expect(isSame(got, data)).toBe(true);
    expect(Object.getPrototypeOf(got)).toBe(Object.prototype);
    expect(inherited()).toEqual(before);
  });

  it('a poisoned or frozen Object.prototype neither breaks nor hears what is read', () => {
    const section = encoded({ poisoned: 1, locked: { poisoned: 2 } });
    const heard: unknown[] = [];
    Object.defineProperty(Object.prototype, 'poisoned', { set: (value) => heard.push(value), configurable: true });
    Object.defineProperty(Object.prototype, 'locked', { value: 0, writable: false, configurable: true });
    let got: object;
    try {
      got = decodeData(section);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'poisoned');
      Reflect.deleteProperty(Object.prototype, 'locked');
    }
    expect(got).toStrictEqual({ poisoned: 1, locked: { poisoned: 2 } });
    expect(heard).toEqual([]);
  });

  it('the writer keeps what stood before, and is as it was after a refusal', () => {
    const writer = new ByteWriter();
    writer.u32(7);
    expect(() => encodeData(writer, { a: 'x', b: () => {} }, 1000)).toThrow();
    expect(writer.length).toBe(4);
    encodeData(writer, { a: 1 }, 1000);
    expect(decodeData(writer.copy().subarray(4))).toEqual({ a: 1 });
  });
});
