/** What the manager keeps beside the table, against models: slots in the order of time, slots by user; and the judge of the wall clock. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeAnchor } from '../dist/src/protocol/clock.js';
import { ENDED, UNSEEN } from '../dist/src/protocol/layout.js';
import { FOLD_MARGIN, raiseMark, seenAt } from '../dist/src/protocol/seen.js';
import { SlotHeap } from '../dist/worker/slot-heap.js';
import { Users } from '../dist/worker/users.js';

const SLOTS = 12;
const slot = fc.nat(SLOTS - 1);

test('the first of the slots is always one of the earliest, whatever was put, moved and removed', () => {
  const change = fc.record({ slot, instant: fc.option(fc.constantFrom(1, 2, 3, 5, 8, Number.POSITIVE_INFINITY)) });
  const run = (changes: { slot: number; instant: number | null }[]) => {
    const heap = new SlotHeap(SLOTS);
    const model = new Map<number, number>();
    for (const { slot, instant } of changes) {
      if (instant === null) {
        heap.remove(slot);
        model.delete(slot);
      } else {
        heap.put(slot, instant);
        model.set(slot, instant);
      }
      expect(heap.size).toBe(model.size);
      if (model.size === 0) expect(heap.first()).toBe(-1);
      else expect(model.get(heap.first())).toBe(Math.min(...model.values()));
    }
    const order = Array.from({ length: model.size }, () => {
      const first = heap.first();
      heap.remove(first);
      return model.get(first) as number;
    });
    expect(order).toEqual([...model.values()].sort((a, b) => a - b));
    expect(heap.size).toBe(0);
  };
  fc.assert(fc.property(fc.array(change, { maxLength: 200, size: 'max' }), run), { numRuns: 500 });
});

test('each user’s slots stand in the order in which they came, and a user without any is forgotten', () => {
  const names = ['ann', 'bob', 'cid'];
  const change = fc.record({ slot, user: fc.option(fc.constantFrom(...names)) });
  const run = (changes: { slot: number; user: string | null }[]) => {
    const users = new Users(SLOTS);
    const model = new Map<string, number[]>(names.map((name) => [name, []]));
    const ownerOf = (wanted: number) => names.find((name) => model.get(name)?.includes(wanted));
    for (const { slot, user } of changes) {
      const owner = ownerOf(slot);
      if (owner !== undefined) {
        users.remove(owner, slot);
        model.set(owner, model.get(owner)?.filter((other) => other !== slot) ?? []);
      }
      if (user !== null) {
        users.add(user, slot);
        model.get(user)?.push(slot);
      }
      for (const name of names) {
        const listed: number[] = [];
        for (let at = users.first(name); at >= 0; at = users.after(name, at)) listed.push(at);
        expect(listed).toEqual(model.get(name));
        expect(users.count(name)).toBe(listed.length);
      }
    }
  };
  fc.assert(fc.property(fc.array(change, { maxLength: 200, size: 'max' }), run), { numRuns: 500 });
});

describe('seen marks', () => {
  const T = Date.UTC(2026, 0, 1);
  const TURN = 2 ** 32 - 2;
  const bases = { seenBase: T, markBase: T };
  const raised = (from: number, now: number, to = bases) => {
    const words = Int32Array.of(from);
    return { done: raiseMark(words, 0, from, to, now), mark: words[0] as number };
  };

  test('a mark means the millisecond at which it was made, up to one turn after its base', () => {
    for (const after of [
      0,
      1,
      2 ** 31 - 1,
      2 ** 31,
      TURN - 1,
      86_400_000,
      ...Array.from({ length: 60 }, (_, n) => n * 71_582_788),
    ]) {
      const { done, mark } = raised(UNSEEN, T + after);
      expect([done, mark === ENDED, mark === UNSEEN && after > 0]).toEqual([true, false, false]);
      expect(seenAt(mark, bases)).toBe(T + after);
    }
  });

  test('a mark is only ever raised, never lowered, and never taken from an ended session', () => {
    const { mark } = raised(UNSEEN, T + 5000);
    expect(raised(mark, T + 4000)).toEqual({ done: true, mark });
    expect(raised(ENDED, T + 6000)).toEqual({ done: false, mark: ENDED });
    // The word has changed since it was read.
    const words = Int32Array.of(ENDED);
    expect([raiseMark(words, 0, mark, bases, T + 6000), words[0]]).toEqual([false, ENDED]);
    words[0] = raised(UNSEEN, T + 9000).mark;
    expect([raiseMark(words, 0, mark, bases, T + 6000), seenAt(words[0], bases)]).toEqual([true, T + 9000]);
  });

  test('after a fold a mark means the same beside the older and the newer record', () => {
    const now = T + 2 ** 31 + 12_345;
    const newer = { seenBase: T + 2 ** 31, markBase: now - FOLD_MARGIN };
    for (const after of [0, 1, FOLD_MARGIN, 2 ** 31 - 20_000]) {
      const { mark } = raised(UNSEEN, now + after);
      expect([seenAt(mark, bases), seenAt(mark, newer)]).toEqual([now + after, now + after]);
    }
    expect(seenAt(UNSEEN, newer)).toBe(T + 2 ** 31);
  });
});

describe('the wall clock', () => {
  /** Looks each second at a wall clock that leads the monotonic one by `leadAt`, and returns the offset after each look. */
  function follow(
    seconds: number,
    leadAt: (second: number) => number,
    monoAt = (second: number) => second * 1000,
  ): number[] {
    let offset = 0;
    let state: Parameters<typeof judgeAnchor>[3];
    return Array.from({ length: seconds }, (_, second) => {
      const mono = monoAt(second);
      ({ offset, state } = judgeAnchor(offset, mono + leadAt(second), mono, state));
      return offset;
    });
  }
  const HOUR = 3_600_000;

  test('a little ahead is followed at once', () => {
    expect(follow(4, (second) => [0, 1, 500, 600][second] as number)).toEqual([0, 1, 500, 600]);
  });

  test('a jump ahead is followed when it has lasted for a minute, and not a second before', () => {
    const offsets = follow(70, (second) => (second < 5 ? 0 : HOUR));
    expect(offsets.map((offset) => offset === HOUR).indexOf(true)).toBe(65);
    expect(new Set(offsets)).toEqual(new Set([0, HOUR]));
  });

  test('a jump ahead that is taken back within the minute ends nothing', () => {
    expect(new Set(follow(200, (second) => (second % 60 < 59 ? HOUR : 0)))).toEqual(new Set([0]));
  });

  test('of a lead that varies, what was there all the time is believed', () => {
    expect(follow(62, (second) => (second === 30 ? HOUR : 2 * HOUR)).at(60)).toBe(HOUR);
  });

  test('a jump backwards is never followed, so that no session lives longer for it', () => {
    expect(new Set(follow(300, (second) => (second < 5 ? 0 : -HOUR)))).toEqual(new Set([0]));
    const back = follow(300, (second) => (second < 100 ? HOUR : -HOUR));
    expect([back.at(99), back.at(299)]).toEqual([HOUR, HOUR]);
  });

  test('time asleep, which the monotonic clock does not count, is believed after a minute awake', () => {
    const offsets = follow(80, (second) => (second < 10 ? 0 : 8 * HOUR));
    expect([offsets[69], offsets[70]]).toEqual([0, 8 * HOUR]);
  });
});
