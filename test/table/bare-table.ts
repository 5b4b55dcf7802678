/** A table and its writer with nothing around them: sessions are written, changed and freed as the rules do it. */

import { expect } from 'vitest';
import {
  digestOf,
  ENDED,
  HEADER,
  markPlace,
  RecordDraft,
  reserveTable,
  SessionRecord,
  shapeFor,
  TableView,
  TableWriter,
  wordsOf,
} from '../support/internals.js';

export const KiB = 1024;
export const NOTHING = new Uint8Array(0);

export function makeTable(limits: { maxSessions: number; maxBytes: number; maxSessionBytes: number }) {
  const memory = reserveTable(shapeFor(limits), [3, 5]);
  const header = new Int32Array(memory.header);
  header[HEADER.ownerEpoch] = 1;
  return { memory, header, table: new TableWriter(memory, 1), reader: new TableView(memory) };
}

let keys = 0;
/** Eight words that nothing else has. */
const newKey = () => digestOf(`key ${++keys}`);

/** Makes and publishes a session, and returns its header. */
export function enter(table: TableWriter, data: Uint8Array, digest = newKey()): RecordDraft {
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

export function change(table: TableWriter, slot: number, data: Uint8Array): void {
  const record = new SessionRecord();
  const next = new RecordDraft();
  const old = table.view.load(slot, record, true);
  next.continue(record);
  const pointer = table.write(next, { user: NOTHING, client: NOTHING, data });
  if (old === 0 || pointer === 0) throw new Error(`no room in slot ${slot}: ${old}, ${pointer}`);
  table.publish(slot, pointer);
  table.cells.retire(old);
}

export function leave(table: TableWriter, slot: number): void {
  Atomics.store(table.view.slots, markPlace(slot), ENDED);
  const record = new SessionRecord();
  const pointer = table.view.load(slot, record);
  table.release(record, pointer);
}

/** Words in cells beyond their links that are not zero. */
export function wordsInUse(memory: ReturnType<typeof reserveTable>): number {
  let count = 0;
  for (const segment of memory.segments) {
    wordsOf(segment).forEach((word, at) => {
      if (at % 16 !== 0 && word !== 0) count++;
    });
  }
  return count;
}
