/**
 * A reader copies a record and then looks at its slot's mark. Between the two the slot may be freed and allocated to
 * another session, whose mark says that it lives. Here that happens at that very moment: the reader's look is held up
 * for it.
 */

import { afterEach, expect, test } from 'vitest';
import { applied, BareRules, few, packData } from '../contract/bare-rules.js';
import { digestOf, drawIdInto, drawToken, keyDigestInto, SessionRecord, TableView } from '../support/internals.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const nothing = new Uint8Array(0);

const { mark } = TableView.prototype;
afterEach(() => {
  TableView.prototype.mark = mark;
});

/** Runs `between` once, before the next look that a reader, not the manager itself, takes at the mark of a slot. */
function beforeTheLookAt(slot: number, rules: BareRules, between: () => void): () => number {
  let ran = 0;
  TableView.prototype.mark = function (looked) {
    if (looked === slot && this !== rules.table.view && ran === 0) {
      ran++;
      between();
    }
    return mark.call(this, looked);
  };
  return () => ran;
}

function put(rules: BareRules, key: string) {
  const digest = keyDigestInto(key, new Int32Array(8));
  const id = drawIdInto(new Int32Array(4));
  const call = { digest, id, idle: 10 * DAY, absolute: 10 * DAY, linked: false, user: nothing, client: nothing };
  const reply = applied(() => rules.rules.putSession({ ...call, data: packData({ key }) }, rules.by()));
  if (typeof reply === 'string') throw new Error(reply);
  return reply.u32();
}

test('a list shows no session that had ended before, though its slot has another session by the time of the look', async () => {
  const rules = new BareRules({ ...few, maxSessions: 1 });
  const { slot } = rules.made(digestOf(drawToken()), { idle: HOUR });
  // All at once: their memory is freed later.
  rules.closeAllSessions();
  const hasRun = beforeTheLookAt(slot, rules, () => {
    rules.endings.freeSome(Number.POSITIVE_INFINITY);
    expect(rules.made(digestOf(drawToken()), { idle: HOUR }).slot).toBe(slot);
  });
  const shown: unknown[] = [];
  for await (const info of rules.reader().list()) shown.push(info);
  expect([hasRun(), shown]).toEqual([1, []]);
});

test('a key’s session is found, though the slot of the one before it, still in the index, has another session by the time of the look', () => {
  const rules = new BareRules({ ...few, maxSessions: 2 });
  const before = put(rules, 'key');
  rules.closeAllSessions();
  // Its tombstone has expired, and its memory is still to be freed.
  rules.time += 2 * DAY;
  const slot = put(rules, 'key');
  expect(slot).not.toBe(before);
  const hasRun = beforeTheLookAt(before, rules, () => {
    rules.endings.freeSome(Number.POSITIVE_INFINITY);
    expect(rules.made(digestOf(drawToken()), { idle: HOUR }).slot).toBe(before);
  });
  const found = rules.reader().lookup.byKey('key', false);
  expect([hasRun(), found?.slot]).toEqual([1, slot]);
});

test('a handle of a session that had ended does not live, nor marks the one that has its slot by the time of the look', () => {
  const rules = new BareRules({ ...few, maxSessions: 1 });
  const token = drawToken();
  const { slot } = rules.made(digestOf(token), { idle: HOUR });
  const handle = rules.reader().lookup.byCookie(token, false);
  rules.closeAllSessions();
  const { view } = rules.table;
  let reads = 0;
  const start = rules.time;
  // The time is read between the look at the record and the look at the mark.
  Object.defineProperty(rules, 'time', {
    get() {
      if (++reads > 1) return start;
      rules.endings.freeSome(Number.POSITIVE_INFINITY);
      expect(rules.made(digestOf(drawToken()), { idle: HOUR }).slot).toBe(slot);
      return start + HOUR / 2;
    },
  });
  expect(handle?.alive).toBe(false);
  expect(reads).toBeGreaterThan(1);
  const record = new SessionRecord();
  expect(view.load(slot, record) !== 0 && view.seen(record, view.mark(slot))).toBe(start);
});
