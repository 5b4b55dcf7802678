/**
 * The bare table and what the manager keeps beside it: no room is lost over any history, what is free is zeroed, what
 * is in use is found.
 */

import { describe, expect, test } from 'vitest';
import {
  CELL_BYTES,
  digestOf,
  ENDED,
  HEADER,
  markPlace,
  RECORD_HEADER,
  RecordDraft,
  reserveTable,
  SessionRecord,
  shapeFor,
  TableView,
  TableWriter,
  wordsOf,
} from '../support/internals.js';
import { randomFrom } from '../support/random.js';

const KiB = 1024;
const NOTHING = new Uint8Array(0);

function makeTable(limits: { maxSessions: number; maxBytes: number; maxSessionBytes: number }) {
  const memory = reserveTable(shapeFor(limits), [3, 5]);
  const header = new Int32Array(memory.header);
  header[HEADER.ownerEpoch] = 1;
  return { memory, header, table: new TableWriter(memory, 1), reader: new TableView(memory) };
}

let keys = 0;
/** Eight words that nothing else has. */
const newKey = () => digestOf(`key ${++keys}`);

/** Makes and publishes a session, and returns its header. */
function enter(table: TableWriter, data: Uint8Array, digest = newKey()): RecordDraft {
  const record = new RecordDraft();
  const slot = table.allocateSlot();
  record.begin(slot, table.view.generation(slot), 1000);
  record.digest.set(digest);
  record.id.set(digest.subarray(0, 4));
  const pointer = table.write(record, { user: NOTHING, client: NOTHING, data });
  expect(pointer).toBeGreaterThan(0);
  table.open(slot, record.createdAt, record.digest, record.id);
  table.publish(slot, pointer);
  return record;
}

function change(table: TableWriter, slot: number, data: Uint8Array): void {
  const record = new SessionRecord();
  const next = new RecordDraft();
  const old = table.view.load(slot, record, true);
  next.continue(record);
  const pointer = table.write(next, { user: NOTHING, client: NOTHING, data });
  if (old === 0 || pointer === 0) throw new Error(`no room in slot ${slot}: ${old}, ${pointer}`);
  table.publish(slot, pointer);
  table.cells.retire(old);
}

function leave(table: TableWriter, slot: number): void {
  Atomics.store(table.view.slots, markPlace(slot), ENDED);
  const record = new SessionRecord();
  const pointer = table.view.load(slot, record);
  table.release(record, pointer);
}

/** Words in cells beyond their links that are not zero. */
function wordsInUse(memory: ReturnType<typeof reserveTable>): number {
  let count = 0;
  for (const segment of memory.segments) {
    wordsOf(segment).forEach((word, at) => {
      if (at % 16 !== 0 && word !== 0) count++;
    });
  }
  return count;
}

const findDigest = (view: TableView, digest: Int32Array) =>
  view.find('digests', digest[0] as number, digest[1] as number, (slot) => {
    const record = new SessionRecord();
    return view.load(slot, record) !== 0 && record.digest.every((word, i) => word === digest[i]);
  });

describe('cells', () => {
  test('after 250,000 changes of mixed sizes all of maxBytes is of use, and nothing but the live records is left in memory', () => {
    const changes = Number(process.env.COATCHECK_CHANGES ?? 250_000);
    const random = randomFrom('changes', 20_260_101);
    const limits = { maxSessions: 2000, maxBytes: KiB * KiB, maxSessionBytes: 64 * KiB };
    const { memory, table, reader } = makeTable(limits);
    const slots: number[] = [];
    const sizes = new Map<number, number>();
    let bytes = 0;
    // Mostly small, some of hundreds, few of up to 64 KiB: each fills what others left.
    const drawSize = () => {
      const kind = random.below(50);
      return random.below(kind === 0 ? limits.maxSessionBytes + 1 : kind < 5 ? 4 * KiB : kind < 20 ? 512 : 64);
    };
    const source = random.bytes(limits.maxSessionBytes + 256);
    const dataFor = (slot: number, size: number) => source.subarray(slot % 256, (slot % 256) + size);
    for (let n = 0; n < changes; n++) {
      const size = drawSize();
      const action = random.below(8);
      const at = random.below(slots.length);
      const slot = slots[at];
      if (action === 0 && slot !== undefined) {
        leave(table, slot);
        bytes -= sizes.get(slot) ?? 0;
        slots[at] = slots[slots.length - 1] as number;
        slots.pop();
      } else if (action <= 2 && slots.length < limits.maxSessions && bytes + size <= limits.maxBytes) {
        const { slot: entered } = enter(table, NOTHING);
        slots.push(entered);
        change(table, entered, dataFor(entered, size));
        sizes.set(entered, size);
        bytes += size;
      } else if (slot !== undefined && bytes - (sizes.get(slot) ?? 0) + size <= limits.maxBytes) {
        change(table, slot, dataFor(slot, size));
        bytes += size - (sizes.get(slot) ?? 0);
        sizes.set(slot, size);
      }
    }
    const dataOf = (slot: number) => {
      const record = new SessionRecord();
      expect(reader.load(slot, record, true)).toBeGreaterThan(0);
      return Buffer.from(record.data);
    };
    for (const slot of slots) expect(dataOf(slot).equals(dataFor(slot, sizes.get(slot) ?? 0))).toBe(true);
    // All that is left can be filled to the last byte.
    for (const slot of slots) {
      const before = sizes.get(slot) ?? 0;
      const size = Math.min(limits.maxSessionBytes, before + limits.maxBytes - bytes);
      change(table, slot, source.subarray(0, size));
      bytes += size - before;
    }
    expect(bytes).toBe(limits.maxBytes);
    for (const slot of slots) leave(table, slot);
    for (let i = 0; i < 2; i++) table.cells.drainQuarantine();
    expect([table.cells.inUse, table.cells.quarantined, table.slotsInUse, table.bytesUsed]).toEqual([0, 0, 0, 0]);
    expect(wordsInUse(memory)).toBe(0);
  }, 600_000);

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
