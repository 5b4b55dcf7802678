/**
 * The bare table and what the manager keeps beside it: no room is lost over any history, what is free is zeroed, what
 * is in use is found.
 */

import { describe, expect, test } from 'vitest';
import { CELL_BYTES, ENDED, HEADER, RECORD_HEADER, SessionRecord, TableView, wordsOf } from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { change, enter, KiB, leave, makeTable, NOTHING, wordsInUse } from './bare-table.js';

const findDigest = (view: TableView, digest: Int32Array) =>
  view.find('digests', digest[0] as number, digest[1] as number, (slot) => {
    const record = new SessionRecord();
    return view.load(slot, record) !== 0 && record.digest.every((word, i) => word === digest[i]);
  });

describe('cells', () => {
  test('what a session left is zeroed after two sweeps, and its cells are used before memory that was never touched', () => {
    const { memory, header, table } = makeTable({ maxSessions: 10, maxBytes: 64 * KiB, maxSessionBytes: 8 * KiB });
    const { slot } = enter(table, new Uint8Array(5000).fill(0xab));
    const touched = header[HEADER.cellsTouched];
    leave(table, slot);
    expect(wordsInUse(memory)).toBeGreaterThan(1000);
    table.cells.drainQuarantine();
    expect(wordsInUse(memory)).toBeGreaterThan(1000);
    table.cells.drainQuarantine();
    expect([wordsInUse(memory), table.cells.free * CELL_BYTES > 5000]).toEqual([0, true]);
    for (let n = 0; n < 50; n++) {
      leave(table, enter(table, new Uint8Array(5000)).slot);
      for (let i = 0; i < 2; i++) table.cells.drainQuarantine();
    }
    expect([header[HEADER.cellsTouched], header[HEADER.slotsTouched]]).toEqual([touched, 1]);
  });

  test('a record that was replaced stays whole for thousands of cells of further changes', () => {
    const { table, reader } = makeTable({ maxSessions: 10, maxBytes: 64 * KiB, maxSessionBytes: 8 * KiB });
    const { slot } = enter(table, new Uint8Array(1000).fill(1));
    const old = reader.pointer(slot);
    change(table, slot, new Uint8Array(10).fill(2));
    for (let n = 0; n < 1000; n++) change(table, slot, new Uint8Array(10).fill(n));
    const record = new SessionRecord();
    const copy = () => reader.copyHeader(old, record) && reader.copyBody(old, record);
    expect([copy(), record.slot]).toEqual([true, slot]);
    for (let n = 0; n < 4000; n++) change(table, slot, new Uint8Array(10).fill(n));
    expect(copy() && record.length === 1000 + RECORD_HEADER.words * 4).toBe(false);
  });
});

test('of a record that is replaced while it is copied, the newer is believed', () => {
  const { table, reader } = makeTable({ maxSessions: 2, maxBytes: 64 * KiB, maxSessionBytes: KiB });
  const { slot } = enter(table, new Uint8Array(10).fill(1));
  const { generation } = TableView.prototype;
  let looks = 0;
  // Looked at between the copy and the second look at the pointer.
  reader.generation = (of) => {
    if (looks++ === 0) change(table, slot, new Uint8Array(20).fill(2));
    return generation.call(reader, of);
  };
  const record = new SessionRecord();
  expect(reader.load(slot, record, true)).toBe(table.view.pointer(slot));
  expect([record.dataBytes, looks]).toEqual([20, 2]);
});

describe('slots', () => {
  test('slots are allocated again in the order in which they were freed, before any that was never used', () => {
    const { table, header } = makeTable({ maxSessions: 10, maxBytes: 64 * KiB, maxSessionBytes: KiB });
    const slots = Array.from({ length: 6 }, () => enter(table, NOTHING).slot);
    for (const slot of [4, 1, 3]) leave(table, slot);
    expect(slots).toEqual([0, 1, 2, 3, 4, 5]);
    expect([1, 2, 3, 4].map(() => enter(table, NOTHING).slot)).toEqual([4, 1, 3, 6]);
    expect([table.slotsFree, header[HEADER.slotsTouched], table.allocateSlot()]).toEqual([3, 7, 7]);
  });

  test('a slot whose generations are used up is never allocated again', () => {
    const { memory, table } = makeTable({ maxSessions: 2, maxBytes: 64 * KiB, maxSessionBytes: KiB });
    const slots = wordsOf(memory.slots);
    const generations = () => {
      const { slot, generation } = enter(table, NOTHING);
      leave(table, slot);
      return [slot, generation];
    };
    expect(generations()).toEqual([0, 0]);
    slots[1] = -4;
    expect([generations(), generations(), generations()]).toEqual([
      [0, -4],
      [0, -3],
      [0, -2],
    ]);
    expect([generations(), generations(), generations()]).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ]);
    enter(table, NOTHING);
    expect([table.slotsFree, table.allocateSlot()]).toEqual([0, -1]);
    expect(slots[2]).toBe(ENDED);
  });

  test('stamps go on past 2^32 publications, and no two records of a place bear the same', () => {
    const { table, reader } = makeTable({ maxSessions: 2, maxBytes: 64 * KiB, maxSessionBytes: KiB });
    table.resume(-3, 6);
    const { slot } = enter(table, NOTHING);
    const stamps = [1, 2, 3, 4].map(() => {
      const record = new SessionRecord();
      reader.load(slot, record);
      const { stampHigh, stampLow } = record;
      change(table, slot, NOTHING);
      return [stampHigh, stampLow];
    });
    expect(stamps).toEqual([
      [6, -2],
      [6, -1],
      [7, 0],
      [7, 1],
    ]);
    expect(reader.isCurrent(slot, reader.pointer(slot), 2, 6)).toBe(false);
    expect(reader.isCurrent(slot, reader.pointer(slot), 2, 7)).toBe(true);
  });
});

describe('indexes', () => {
  test('all that is live is found, and nothing else, while the index is rebuilt again and again', () => {
    const { header, table, reader } = makeTable({ maxSessions: 500, maxBytes: 4 * KiB * KiB, maxSessionBytes: KiB });
    const random = randomFrom('index', 42);
    const live = new Map<number, Int32Array>();
    const gone: Int32Array[] = [];
    for (let n = 0; n < 40_000; n++) {
      const slots = [...(n % 100 === 0 ? live.keys() : [])];
      if (live.size === 500 || (live.size > 0 && random.chance(0.45))) {
        const slot = random.pick(slots.length > 0 ? slots : [...live.keys()].slice(0, 5));
        gone.push(live.get(slot) as Int32Array);
        live.delete(slot);
        leave(table, slot);
      } else {
        const { slot, digest } = enter(table, NOTHING);
        live.set(slot, digest);
      }
      if (n % 97 !== 0) continue;
      for (const [slot, digest] of live) expect(findDigest(reader, digest)).toBe(slot);
      for (const digest of gone.slice(-20)) expect(findDigest(reader, digest)).toBe(-1);
    }
    expect(header[HEADER.digestSwitches]).toBeGreaterThan(20);
    expect(header[HEADER.idSwitches]).toBe(header[HEADER.digestSwitches]);
    expect(live.size).toBeGreaterThan(300);
  });

  test('a miss is not believed if the index was switched under it', () => {
    const { memory, header, table, reader } = makeTable({ maxSessions: 8, maxBytes: 64 * KiB, maxSessionBytes: KiB });
    const { slot, digest } = enter(table, NOTHING);
    const [current, spare] = memory.digests.map(wordsOf) as [Int32Array, Int32Array];
    spare.set(current);
    let looks = 0;
    // The reader looks at the entry when the writer has just switched, cleared the old buffer and begun to use it
    // again.
    const found = reader.find('digests', digest[0] as number, digest[1] as number, () => {
      if (++looks > 1) return true;
      current.fill(0);
      header[HEADER.digestSwitches] = 1;
      return false;
    });
    expect([found, looks]).toEqual([slot, 2]);
  });
});
