import { expect, test } from 'vitest';
import { HEADER, IndexWriter, Owner, reserveTable, shapeFor, TableView } from '../support/internals.js';

const SLOTS = 50;

/**
 * An index in which slots 0 and 1 have the same key, so that a walk to the second meets the first; the others' keys
 * come and go.
 */
function indexOfTwins() {
  const memory = reserveTable(shapeFor({ maxSessions: SLOTS, maxBytes: 1024, maxSessionBytes: 1024 }), [1, 2]);
  const view = new TableView(memory);
  const writer = new IndexWriter(
    view,
    'digests',
    new Owner(view.header, 0),
    () => 2,
    (_, key) => {
      key.set([7, 7]);
      return true;
    },
  );
  const key = Int32Array.of(7, 7);
  writer.insert(key, 0);
  writer.insert(key, 1);
  let steps = 0;
  /** One key comes, or, at every second change, it goes. */
  const change = () => {
    const n = steps >> 1;
    const step = steps++ & 1 ? writer.remove : writer.insert;
    step.call(writer, Int32Array.of(n * 7919, n * 104729), 2 + (n % 40));
  };
  const switches = () => view.header[HEADER.digestSwitches] as number;
  return { view, writer, change, switches };
}

test('a key is found although the index under the walk is left, cleared and filled again', () => {
  const { view, writer, change, switches } = indexOfTwins();
  const walked = view.indexes.digests[0];
  let met = 0;
  const found = view.find('digests', 7, 7, (slot) => {
    if (met++ === 0) {
      expect(slot).toBe(0);
      // To the other buffer, and on until the one that is being walked is cleared for the next rebuilding.
      while (switches() === 0) change();
      while (!writer.rebuilding || walked.some((word) => word !== 0)) change();
    }
    return slot === 1;
  });
  expect(found).toBe(1);
  expect(switches()).toBeGreaterThan(0);
});

test('a key is found after however many rebuildings, and one that is not there is not', () => {
  const { view, change, switches } = indexOfTwins();
  for (let round = 0; round < 20; round++) {
    for (const before = switches(); switches() === before; ) change();
    expect(view.find('digests', 7, 7, (slot) => slot === 1)).toBe(1);
    expect(view.find('digests', 8, 8, () => true)).toBe(-1);
  }
});
