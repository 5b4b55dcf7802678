import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyData, anyKey, encoded, encodedPatch, field, isSame } from '../support/any-data.ts';
import {
  ByteWriter,
  checkEntries,
  decodeData,
  decodeKey,
  decodeValue,
  encodeKey,
  findEntry,
  MalformedBytes,
  mergeEntries,
} from '../support/internals.js';

function keyBytes(key: string): Uint8Array {
  const writer = new ByteWriter();
  encodeKey(writer, key);
  return writer.copy();
}

function merged(base: Uint8Array, patch: Uint8Array): { bytes: Uint8Array; changed: boolean } {
  const out = new ByteWriter();
  const changed = mergeEntries(base, patch, out);
  return { bytes: out.copy(), changed };
}

const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** Few keys to choose from, so that a patch meets what it changes. */
const someKeys = fc.array(fc.oneof(anyKey, fc.constantFrom('a', 'b', 'c', 'd')), { minLength: 1, maxLength: 30 });

const change = someKeys.chain((keys) => {
  const key = fc.constantFrom(...keys);
  const value = fc.constantFrom<unknown>(1, 'x', null, [1], { x: 1 }, 'long'.repeat(50));
  const base = fc.uniqueArray(fc.tuple(key, value), { selector: ([k]) => k, maxLength: 30 });
  const patch = fc.uniqueArray(fc.tuple(key, fc.option(value, { nil: undefined })), {
    selector: ([k]) => k,
    maxLength: 30,
  });
  return fc.tuple(base, patch);
});

describe('a patch spliced into what is stored', () => {
  it('gives what a Map would hold after the same changes, in the same order', () => {
    fc.assert(
      fc.property(change, ([base, patch]) => {
        // One by one: an object would put keys that look like integers first.
        const before = concat(...base.map(([key, value]) => encoded({ [key]: value })));
        const changes = concat(...patch.map(([key, value]) => encodedPatch({ [key]: value })));
        const model = new Map(base);
        for (const [key, value] of patch) {
          if (value === undefined) model.delete(key);
          else model.set(key, value);
        }
        const { bytes, changed } = merged(before, changes);
        const expected = concat(...[...model].map(([key, value]) => encoded({ [key]: value })));
        expect(Buffer.compare(bytes, expected)).toBe(0);
        expect(changed).toBe(Buffer.compare(bytes, before) !== 0);
        checkEntries(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('replaces in place, appends what is new and drops what is undefined', () => {
    const { bytes, changed } = merged(
      encoded({ a: 1, b: 2, c: 3 }),
      encodedPatch({ d: 5, b: 'two', a: undefined, x: undefined }),
    );
    expect(changed).toBe(true);
    expect(Object.entries(decodeData(bytes))).toEqual([
      ['b', 'two'],
      ['c', 3],
      ['d', 5],
    ]);
  });

  it('is known to change nothing', () => {
    const base = encoded({ a: 1, b: [2] });
    for (const patch of [{}, { a: 1 }, { b: [2], a: 1 }, { gone: undefined }]) {
      expect(merged(base, encodedPatch(patch))).toEqual({ bytes: base, changed: false });
    }
  });

  it('costs no more for thousands of keys than once through them', () => {
    const base = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`key${i}`, i]));
    const patch = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`key${i * 2}`, i % 3 ? -i : undefined]));
    const { bytes } = merged(encoded(base, 1e7), encodedPatch(patch, 1e7));
    checkEntries(bytes);
    const model = new Map<string, unknown>(Object.entries(base));
    for (const [key, value] of Object.entries(patch)) value === undefined ? model.delete(key) : model.set(key, value);
    expect(isSame(decodeData(bytes), Object.fromEntries(model))).toBe(true);
  });
});

describe('finding one entry', () => {
  it('finds each key that there is, and no other', () => {
    fc.assert(
      fc.property(anyData, anyKey, (data, other) => {
        const section = encoded(data);
        for (const key of Object.keys(data)) {
          const entry = findEntry(section, keyBytes(key));
          expect(isSame(entry && decodeValue(section.subarray(entry.valueStart, entry.end)), field(data, key))).toBe(
            true,
          );
          expect(isSame(decodeKey(section, key), field(data, key))).toBe(true);
        }
        expect(findEntry(section, keyBytes(other)) !== undefined).toBe(Object.hasOwn(data, other));
        if (!Object.hasOwn(data, other)) expect(decodeKey(section, other)).toBeUndefined();
      }),
    );
  });

  it('cutting an entry out leaves the others', () => {
    const section = encoded({ a: 1, b: 'x'.repeat(300), c: 3 });
    const { start, end } = findEntry(section, keyBytes('b')) ?? { start: 0, end: 0 };
    expect(decodeData(concat(section.subarray(0, start), section.subarray(end)))).toEqual({ a: 1, c: 3 });
  });
});

describe('what the manager takes in', () => {
  it('everything that was encoded passes', () => {
    fc.assert(fc.property(anyData, (data) => checkEntries(encoded(data))));
    checkEntries(encodedPatch({ a: undefined, b: 1 }), true);
  });

  const latin1Key = (key: string) => concat(new Uint8Array([0x08, key.length]), Buffer.from(key, 'latin1'));
  const one = new Uint8Array([1, 0x81]);
  it.each<[string, Uint8Array]>([
    ['a removal outside of a patch', encodedPatch({ a: undefined })],
    ['a key twice', concat(encoded({ a: 1 }), encoded({ a: 2 }))],
    [
      'a key twice among many',
      concat(encoded(Object.fromEntries(Array.from('abcdefghijk', (k) => [k, 1]))), encoded({ c: 2 })),
    ],
    ['__proto__ as a key', concat(keyBytes('__proto__'), one)],
    ['__proto__ in another form', concat(latin1Key('__proto__'), one)],
    ['a short key in a long form', concat(latin1Key('a'), one)],
    ['ASCII as UTF-8', concat(new Uint8Array([0x09, 70]), Buffer.alloc(70, 'a'), one)],
    ['broken UTF-8', concat(new Uint8Array([0x09, 2, 0xe2, 0x98]), one)],
    ['well-formed text as UTF-16', concat(new Uint8Array([0x0a, 2, 0x03, 0x26]), one)],
    ['half a character', concat(new Uint8Array([0x0a, 3, 0, 0xd8, 0]), one)],
    ['a number as a key', concat(new Uint8Array([0x85]), one)],
    ['a key past the end', new Uint8Array([0x7f, 1])],
    ['a value past the end', concat(keyBytes('a'), new Uint8Array([2, 0x81]))],
    ['a value of 4 GB', concat(keyBytes('a'), new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 0x81]))],
    ['a size without end', concat(keyBytes('a'), new Uint8Array(9).fill(0xff))],
  ])('%s is refused', (_, section) => {
    expect(() => checkEntries(section)).toThrow(MalformedBytes);
  });
});

describe('rubbish', () => {
  const FORMAT = encoded({ a: 1 })[3] as number;
  const value = (...bytes: number[]) => Uint8Array.of(FORMAT, ...bytes);

  it('a promise of many bytes is not believed before they are there', () => {
    const many = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const tag of [0x08, 0x09, 0x0a]) expect(() => decodeValue(value(tag, ...many, 0x81))).toThrow(MalformedBytes);
    expect(() => decodeValue(value(0x0f, 0, ...many))).toThrow(MalformedBytes);
  });

  it.each<[string, number]>([
    ['arrays', 0x0c],
    ['objects', 0x0b],
    ['Maps', 0x0d],
    ['Sets', 0x0e],
  ])('%s in one another without end are refused, not run out of stack on', (_, tag) => {
    const bytes = new Uint8Array(1_000_000).fill(tag);
    if (tag === 0x0b) for (let i = 1; i < bytes.length; i += 2) bytes[i] = 0x40;
    expect(() => decodeValue(concat(value(), bytes))).toThrow(MalformedBytes);
  });

  it('a key that would change a prototype is refused at any level', () => {
    const key = keyBytes('__proto__');
    expect(() => decodeData(concat(key, Uint8Array.of(3), value(0x0b, 0)))).toThrow(MalformedBytes);
    expect(() => decodeValue(concat(value(0x0b), key, Uint8Array.of(0x0b, 0, 0)))).toThrow(MalformedBytes);
  });

  it('a key twice in one object is refused', () => {
    expect(() => decodeValue(value(0x0b, 0x41, 0x61, 0x81, 0x41, 0x61, 0x82, 0))).toThrow(MalformedBytes);
    expect(() => decodeData(concat(encoded({ a: 1 }), encoded({ a: 1 })))).toThrow(MalformedBytes);
  });

  it('a typed array of a kind that is not known, or of half an element, is refused', () => {
    expect(() => decodeValue(value(0x0f, 99, 0))).toThrow(MalformedBytes);
    expect(() => decodeValue(value(0x0f, 5, 1, 0))).toThrow(MalformedBytes);
  });

  it('what ends in the middle, or goes on after its end, is refused', () => {
    const section = encoded({ a: [1, { b: 'text', c: 5.5 }, 2n], z: 1 });
    const ofA = section.subarray(3, section.length - 5);
    expect(decodeValue(ofA)).toEqual([1, { b: 'text', c: 5.5 }, 2n]);
    for (let size = 0; size < ofA.length; size++) {
      expect(() => decodeValue(ofA.subarray(0, size))).toThrow(MalformedBytes);
      // The value reaches into the entry after it.
      const short = section.slice();
      short[2] = size;
      expect(() => decodeData(short)).toThrow(MalformedBytes);
    }
    expect(() => decodeValue(concat(ofA, Uint8Array.of(0)))).toThrow(MalformedBytes);
  });

  it('a value in a format of another build is refused, and its entry is merged and found like any other', () => {
    const section = encoded({ a: 1, later: 2 });
    section[section.length - 2] = 0x7e;
    checkEntries(section);
    expect(() => decodeData(section)).toThrow('a format that is not known here');
    expect(decodeKey(section, 'a')).toBe(1);
    const { bytes } = merged(section, encodedPatch({ a: 3 }));
    expect(decodeKey(bytes, 'a')).toBe(3);
    expect(bytes.subarray(-4)).toEqual(section.subarray(-4));
    expect(decodeData(merged(bytes, encodedPatch({ later: undefined })).bytes)).toEqual({ a: 3 });
  });
});
