/**
 * What the manager keeps beside the table, against models: slots in the order of time, slots by user; and the judge of
 * the wall clock.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginMark, ENDED, judgeAnchor, raiseMark, SlotHeap, seenAt, Users } from '../support/internals.js';

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

test('each user’s slots stand in the order in which they came, also for a successor, and a user without any is forgotten', () => {
  const names = ['ann', 'bob', 'cid'];
  const change = fc.record({ slot, user: fc.option(fc.constantFrom(...names)) });
  const run = (changes: { slot: number; user: string | null }[]) => {
    const model = new Map<string, number[]>(names.map((name) => [name, []]));
    const bytesOf = (name: string) => new TextEncoder().encode(name);
    const ownerOf = (wanted: number) => names.find((name) => model.get(name)?.includes(wanted));
    const records = {
      belongsTo: (slot: number, user: Uint8Array) => ownerOf(slot) === new TextDecoder().decode(user),
      userOf: (slot: number) => bytesOf(ownerOf(slot) ?? ''),
    };
    const users = new Users(SLOTS, 7, records);
    for (const { slot, user } of changes) {
      const owner = ownerOf(slot);
      if (owner !== undefined) {
        users.remove(slot);
        model.set(owner, model.get(owner)?.filter((other) => other !== slot) ?? []);
      }
      if (user !== null) {
        users.add(bytesOf(user), slot);
        model.get(user)?.push(slot);
      }
      expectLists(users);
    }
    const successor = new Users(SLOTS, 7, records);
    for (let slot = 0; slot < SLOTS; slot++) {
      const owner = ownerOf(slot);
      if (owner !== undefined) successor.restore(bytesOf(owner), slot);
    }
    const place = (slot: number) => model.get(ownerOf(slot) ?? '')?.indexOf(slot) ?? -1;
    for (const _ of successor.listRestored((one, other) => place(one) - place(other)));
    expectLists(successor);

    function expectLists(users: Users): void {
      for (const name of names) {
        const listed: number[] = [];
        for (let at = users.first(bytesOf(name)); at >= 0; at = users.after(at)) listed.push(at);
        expect(listed).toEqual(model.get(name));
        expect(users.count(bytesOf(name))).toBe(listed.length);
      }
    }
  };
  fc.assert(fc.property(fc.array(change, { maxLength: 200, size: 'max' }), run), { numRuns: 500 });
});

describe('seen marks', () => {
  const T = Date.UTC(2026, 0, 1);
  const TURN = 2 ** 31 - 1;
  const DAY = 86_400_000;
  /** The two words of a session that begins at T, as if it were the only one. */
  const begun = () => {
    const words = new Int32Array(2);
    beginMark(words, 0, T);
    return words;
  };
  const seen = (words: Int32Array) => seenAt(words, 0, words[0] as number, T);
  const raise = (words: Int32Array, now: number, read = words[0] as number) => raiseMark(words, 0, read, T, now);

  test('a session that begins was seen at that instant', () => {
    expect(seen(begun())).toBe(T);
  });

  test('a mark means the millisecond at which it was made, for a hundred years and more', () => {
    for (const after of [1, TURN - 1, TURN, TURN + 1, 50 * DAY, 400 * DAY, 36_525 * DAY, 700_000 * DAY]) {
      const words = begun();
      expect([raise(words, T + after), seen(words), words[0] === ENDED]).toEqual([true, T + after, false]);
    }
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(5000), fc.nat(3 * TURN), fc.nat(900 * DAY)), { maxLength: 30 }), (steps) => {
        const words = begun();
        let now = T;
        for (const step of steps) {
          now += step;
          expect([raise(words, now), seen(words)]).toEqual([true, now]);
        }
      }),
    );
  });

  test('a mark is only ever raised, never lowered, and never taken from an ended session', () => {
    const words = begun();
    raise(words, T + 5000);
    const read = words[0] as number;
    expect([raise(words, T + 4000), seen(words)]).toEqual([true, T + 5000]);
    raise(words, T + 9000);
    // The word has changed since it was read.
    expect([raise(words, T + 6000, read), seen(words)]).toEqual([true, T + 9000]);
    words[0] = ENDED;
    expect([raise(words, T + 9999, read), words[0]]).toEqual([false, ENDED]);
  });

  test('a thread that stops between the two steps into a later turn changes nothing, and hinders nobody', () => {
    for (const later of [T + TURN, T + 40 * TURN]) {
      for (const next of [later + 7, later + TURN, later + 300 * TURN]) {
        const words = begun();
        raise(words, T + 1234);
        const [mark] = words;
        raise(words, later);
        words[0] = mark as number;
        expect(seen(words)).toBe(T + 1234);
        expect([raise(words, next), seen(words)]).toEqual([true, next]);
      }
    }
  });
});

describe('the wall clock', () => {
  /**
   * Looks each second at a wall clock that leads the monotonic one by `leadAt`, and returns the offset after each look.
   */
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
