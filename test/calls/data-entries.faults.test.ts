import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyData, encoded, inherited } from '../support/any-data.ts';
import {
  ByteWriter,
  checkEntries,
  decodeData,
  decodeValue,
  KnownKeys,
  MalformedBytes,
  mergeEntries,
} from '../support/internals.js';

const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** A small generator with a seed: the same inputs in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(source: Uint8Array, below: (n: number) => number): Uint8Array {
  let bytes = Uint8Array.from(source);
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length + 1);
    const kind = below(5);
    if (kind === 0) bytes = bytes.slice(0, at);
    else if (kind === 1) bytes = concat(bytes.subarray(0, at), bytes.subarray(below(bytes.length + 1)));
    else if (kind === 2) bytes = concat(bytes.subarray(0, at), Uint8Array.of(below(0x16)), bytes.subarray(at));
    else if (at < bytes.length) bytes[at] = kind === 3 ? below(256) : (bytes[at] as number) ^ (1 << below(8));
  }
  return bytes;
}

/** Values in a value; throws for what no decoder may build. */
function count(value: unknown): number {
  if (typeof value === 'function' || typeof value === 'symbol' || value === undefined) throw new Error('not data');
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 1;
  if (value instanceof Date || value instanceof ArrayBuffer) return 1;
  const plain = Array.isArray(value) ? Array.prototype : Object.prototype;
  const inner = value instanceof Map ? [...value].flat(1) : value instanceof Set ? [...value] : Object.values(value);
  if (!(value instanceof Map || value instanceof Set || Object.getPrototypeOf(value) === plain))
    throw new Error('not data');
  return inner.reduce<number>((sum, each) => sum + count(each), 1);
}

test('100,000 spoilt sections each give plain data no larger than themselves, or MalformedBytes', () => {
  const before = inherited();
  const known = new KnownKeys();
  const below = random(20260101);
  const sources = fc
    .sample(anyData, { numRuns: 2000, seed: 7 })
    .map((data) => encoded(data))
    .filter((bytes) => bytes.length < 400);
  let read = 0;
  for (let i = 0; i < 100_000; i++) {
    const bytes = mutate(sources[i % sources.length] as Uint8Array, below);
    for (const decode of [decodeData, decodeValue]) {
      try {
        const values = count(decode(bytes, known));
        if (values > bytes.length + 1) throw new Error(`${values} values in ${bytes.length} bytes`);
        read++;
      } catch (error) {
        if (!(error instanceof MalformedBytes)) throw error;
      }
    }
    try {
      checkEntries(bytes);
      const same = new ByteWriter();
      mergeEntries(bytes, bytes, same);
      if (Buffer.compare(same.copy(), bytes) !== 0) throw new Error('merging with itself changed it');
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
    }
  }
  expect(read).toBeGreaterThan(10_000);
  expect(inherited()).toEqual(before);
});
