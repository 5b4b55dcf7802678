/** A long history of the bare table: no space is lost, and what is free is zeroed. */

import { expect, test } from 'vitest';
import { SessionRecord } from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { change, enter, KiB, leave, makeTable, NOTHING, wordsInUse } from './bare-table.js';

test('after a million changes of mixed sizes all of maxBytes is of use, and nothing but the live records is left in memory', () => {
  const changes = Number(process.env.COATCHECK_CHANGES ?? 1_000_000);
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
