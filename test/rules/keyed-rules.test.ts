/**
 * Sessions under a caller's own key, over the bare rules: made, replaced, ended in every way, and never created again
 * while their key has a tombstone.
 */

import { describe, expect, test } from 'vitest';
import { dyingAt } from '../contract/bare-manager.js';
import { allOf, applied, BareRules, packData, packUser } from '../contract/bare-rules.js';
import {
  digestOf,
  drawIdInto,
  drawToken,
  Fenced,
  HEADER,
  keyDigestInto,
  Owner,
  PICKED,
  REASONS,
  reserveTombstones,
  seal,
  TOMBSTONES,
  Tombstones,
} from '../support/internals.js';
import { randomFrom } from '../support/random.js';

const limits = {
  maxSessions: 16,
  maxBytes: 20_000,
  maxSessionBytes: 4000,
  maxSessionsPerUser: 2,
  whenOverLimit: 'end-oldest',
  whenFull: 'end-longest-idle',
} as const;
const NOTHING = new Uint8Array(0);
const DAY = 86_400_000;
const HOUR = 3_600_000;
const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };

const digestOfKey = (key: string) => keyDigestInto(key, new Int32Array(8));

interface Put {
  readonly user?: string;
  readonly idle?: number;
  readonly absolute?: number;
}

function put(rules: BareRules, key: string, data: object, { user = '', idle = HOUR, absolute = 10 * HOUR }: Put = {}) {
  const call = { digest: digestOfKey(key), id: drawIdInto(new Int32Array(4)), idle, absolute, linked: false };
  const reply = applied(() =>
    rules.rules.putSession({ ...call, user: packUser(user), client: NOTHING, data: packData(data) }, rules.by()),
  );
  return typeof reply === 'string' ? reply : { slot: reply.u32(), generation: reply.u32() | 0 };
}

function made(rules: BareRules, key: string, options?: Put) {
  const target = put(rules, key, { key }, options);
  if (typeof target === 'string') throw new Error(target);
  return target;
}

const close = (rules: BareRules, key: string, absolute = 10 * HOUR) =>
  rules.rules.closeSessionByKey({ digest: digestOfKey(key), absolute, note: NOTHING });
const find = (rules: BareRules, key: string) => rules.reader().lookup.byKey(key, false);

/** A token's session beside those of keys. */
function newSession(rules: BareRules, user = '', digest = digestOf(drawToken())) {
  const call = { digest, id: drawIdInto(new Int32Array(4)), idle: HOUR, absolute: DAY, linked: false, client: NOTHING };
  return applied(() => rules.rules.newSession({ ...call, user: packUser(user), data: packData({}) }, rules.by()));
}

describe('a session under a key', () => {
  test('is made, found by its key, and given what replaces it, id and beginning as they were', () => {
    const rules = new BareRules(limits);
    const first = made(rules, 'a');
    const one = find(rules, 'a');
    expect([one?.data, one?.version, one?.idleTimeout]).toEqual([{ key: 'a' }, 0, HOUR]);
    rules.time += 1000;
    expect(put(rules, 'a', { other: true }, { idle: 2 * HOUR })).toEqual(first);
    const two = find(rules, 'a');
    expect([two?.id, two?.createdAt, two?.data, two?.version]).toEqual([one?.id, one?.createdAt, { other: true }, 1]);
    expect([two?.idleTimeout, two?.lastSeenAt.getTime()]).toEqual([2 * HOUR, rules.time]);
    expect([rules.sessions.live, rules.sessions.created]).toEqual([1, 1]);
    expect(find(rules, 'b')).toBeUndefined();
  });

  test('never grows older than its absolute timeout, however often it is put', () => {
    const rules = new BareRules(limits);
    made(rules, 'a', { idle: HOUR, absolute: 2 * HOUR });
    for (let n = 0; n < 3; n++) {
      rules.time += HOUR / 2;
      expect(put(rules, 'a', { n }, { idle: HOUR, absolute: 2 * HOUR })).toBeTypeOf('object');
    }
    rules.time += HOUR / 2;
    expect(find(rules, 'a')).toBeUndefined();
    expect(put(rules, 'a', {})).toBe('ERR_SESSION_ENDED');
    expect(rules.sessions.ended.expired).toBe(1);
  });

  test('goes over to the user it is put for, or to none', () => {
    const rules = new BareRules(limits);
    const target = made(rules, 'a', { user: 'ann' });
    const of = (user: string) => rules.sessionsOfUser(packUser(user));
    put(rules, 'a', {}, { user: 'bea' });
    expect([of('ann'), of('bea'), find(rules, 'a')?.userId]).toEqual([[], [target], 'bea']);
    put(rules, 'a', {}, { user: 'bea' });
    expect(of('bea')).toEqual([target]);
    put(rules, 'a', {});
    expect([of('bea'), find(rules, 'a')?.userId]).toEqual([[], undefined]);
    put(rules, 'a', {}, { user: 'ann' });
    expect(of('ann')).toEqual([target]);
    close(rules, 'a');
    expect(of('ann')).toEqual([]);
  });

  test('counts for its user’s limit, and one put over it ends the oldest and not itself', () => {
    const rules = new BareRules(limits);
    for (const key of ['a', 'b', 'c']) made(rules, key, { user: 'ann' });
    expect(['a', 'b', 'c'].map((key) => find(rules, key) !== undefined)).toEqual([false, true, true]);
    expect(put(rules, 'a', {})).toBe('ERR_SESSION_ENDED');
    made(rules, 'd', { user: 'bea' });
    put(rules, 'd', {}, { user: 'ann' });
    expect(['b', 'c', 'd'].map((key) => find(rules, key) !== undefined)).toEqual([false, true, true]);
  });

  test('that is too large is refused, and what it held stays', () => {
    const rules = new BareRules(limits);
    const long = { long: 'x'.repeat(4000) };
    expect(put(rules, 'a', long)).toBe('ERR_SESSION_TOO_LARGE');
    made(rules, 'a');
    expect([put(rules, 'a', long), find(rules, 'a')?.data]).toEqual(['ERR_SESSION_TOO_LARGE', { key: 'a' }]);
  });
});

describe('a key is no token, and a token is no key', () => {
  const purpose = 'coatcheck session key v1\0';

  test('neither opens what the other does', () => {
    const rules = new BareRules(limits);
    const token = drawToken();
    newSession(rules, '', digestOf(token));
    // Of a length that makes it and what is hashed for it a token's 43 signs.
    const keys = ['k'.repeat(43), 'k'.repeat(43 - purpose.length), drawToken()];
    for (const key of keys) made(rules, key);
    const { lookup } = rules.reader();
    for (const key of keys) {
      expect(lookup.byKey(key, false)?.data).toEqual({ key });
      expect([key, purpose + key].map((cookie) => lookup.byCookie(cookie, false))).toEqual([undefined, undefined]);
    }
    expect(lookup.byCookie(token, false)?.data).toEqual({});
    expect(lookup.byKey(token, false)).toBeUndefined();
    expect(put(rules, token, { mine: true })).toBeTypeOf('object');
    expect(rules.reader().lookup.byCookie(token, false)?.data).toEqual({});
    close(rules, token);
    expect(rules.reader().lookup.byCookie(token, false)?.data).toEqual({});
  });

  test('a session under a key cannot log in or rotate: its key stays the only way to it', () => {
    const rules = new BareRules(limits);
    const target = made(rules, 'a');
    const login = { target, digest: digestOf(drawToken()), user: packUser('ann'), patch: NOTHING };
    expect(applied(() => rules.rules.login(login, rules.by()))).toBe('ERR_TOKEN_UNKNOWN');
    const [from, to] = [`${purpose}a`, drawToken()];
    const rotate = { target, from: digestOf(from), to: digestOf(to), grace: 5, sealed: seal(from, to) };
    expect(applied(() => rules.rules.rotate(rotate, rules.by()))).toBe('ERR_TOKEN_UNKNOWN');
    expect(() => find(rules, 'a')?.currentToken()).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_UNKNOWN' }));
    expect(rules.reader().lookup.byCookie(to, false)).toBeUndefined();
  });

  test('a digest that a token’s session has is no key’s, whoever sends it', () => {
    const rules = new BareRules(limits);
    const digest = digestOfKey('a');
    newSession(rules, '', digest);
    expect(put(rules, 'a', {})).toBe('used');
    expect(find(rules, 'a')).toBeUndefined();
    close(rules, 'a');
    expect(rules.sessions.live).toBe(1);
  });
});

/** Every way a session ends, each from one session under the key 'a'. */
const endings: readonly (readonly [string, (rules: BareRules, target: ReturnType<typeof made>) => unknown])[] = [
  ['closed', (rules, target) => rules.rules.close(target, false, NOTHING)],
  ['closed', (rules) => close(rules, 'a')],
  ['closed', (rules) => rules.closeAllSessions()],
  ['stopped', (rules) => allOf(rules.rules.closeAllSessions(everything, 'stopped'))],
  ['terminated', (rules, target) => rules.rules.close(target, true, NOTHING)],
  ['idle', (rules) => pass(rules, HOUR)],
  ['expired', (rules) => lasting(rules, 10 * HOUR)],
  ['evicted', (rules) => fill(rules)],
  ['over-limit', (rules) => [put(rules, 'a', {}, { user: 'ann' }), newSession(rules, 'ann'), newSession(rules, 'ann')]],
];

function pass(rules: BareRules, time: number): void {
  rules.time += time;
  rules.sweep();
}

/** Time goes by, and it is seen all the while. */
function lasting(rules: BareRules, time: number): void {
  const { lookup } = rules.reader();
  for (const end = rules.time + time; rules.time < end; rules.time += HOUR / 2) lookup.byKey('a', true);
  rules.sweep();
}

function fill(rules: BareRules): void {
  rules.time += 1;
  for (let n = 0; n < limits.maxSessions; n++) newSession(rules);
}

describe.each(endings)('a key whose session has ended as %s', (reason, end) => {
  const ended = () => {
    const rules = new BareRules(limits);
    const target = made(rules, 'a');
    end(rules, target);
    expect([rules.sessions.ended[reason as (typeof REASONS)[number]], find(rules, 'a')]).toEqual([1, undefined]);
    return rules;
  };

  test('is refused for the absolute timeout, and then as good as new', () => {
    const rules = ended();
    const at = rules.time;
    expect(put(rules, 'a', { late: true })).toBe('ERR_SESSION_ENDED');
    rules.time = at + 10 * HOUR - 1;
    expect([put(rules, 'a', { late: true }), find(rules, 'a')]).toEqual(['ERR_SESSION_ENDED', undefined]);
    rules.time = at + 10 * HOUR;
    expect(put(rules, 'a', { early: true })).toBeTypeOf('object');
    expect(find(rules, 'a')?.data).toEqual({ early: true });
  });

  test('is refused by a successor as well, and by that one’s', () => {
    const rules = ended();
    for (let n = 0; n < 2; n++) {
      rules.succeed();
      expect(put(rules, 'a', { late: true })).toBe('ERR_SESSION_ENDED');
    }
    expect(put(rules, 'b', {})).toBeTypeOf('object');
  });
});

test('whose time is over at the put itself is refused, though no sweep came', () => {
  const rules = new BareRules(limits);
  made(rules, 'a');
  rules.time += HOUR;
  expect(put(rules, 'a', { late: true })).toBe('ERR_SESSION_ENDED');
});

test('a session that never ends by age leaves a tombstone for a day; one of a short life, for that', () => {
  const rules = new BareRules(limits);
  made(rules, 'long', { absolute: Number.POSITIVE_INFINITY });
  made(rules, 'short', { absolute: 1000 });
  close(rules, 'long');
  close(rules, 'short');
  rules.time += 1000;
  expect([put(rules, 'long', {}), put(rules, 'short', {})]).toEqual(['ERR_SESSION_ENDED', expect.any(Object)]);
  rules.time += DAY - 1001;
  expect(put(rules, 'long', {})).toBe('ERR_SESSION_ENDED');
  rules.time += 1;
  expect(put(rules, 'long', {})).toBeTypeOf('object');
});

test('a key that is closed before its session was there has none for a while; closing it again leaves no further tombstone', () => {
  const rules = new BareRules(limits);
  const written = new Float64Array(rules.memory.tombstones);
  for (let n = 0; n < 3; n++) close(rules, 'a', HOUR);
  expect([put(rules, 'a', {}), written[TOMBSTONES.written]]).toEqual(['ERR_SESSION_ENDED', 1]);
  rules.time += HOUR;
  expect(put(rules, 'a', {})).toBeTypeOf('object');
});

test('a key that is closed when its tombstone will not last gets a new one', () => {
  const rules = new BareRules(limits);
  made(rules, 'a', { absolute: HOUR });
  close(rules, 'a', HOUR);
  rules.time += HOUR - 1;
  close(rules, 'a', HOUR);
  rules.time += HOUR - 1;
  expect(put(rules, 'a', {})).toBe('ERR_SESSION_ENDED');
  rules.time += 1;
  expect(put(rules, 'a', {})).toBeTypeOf('object');
});

test('sessions with a token leave no tombstones', () => {
  const rules = new BareRules(limits);
  made(rules, 'a');
  for (let n = 0; n < 5; n++) newSession(rules);
  rules.closeAllSessions();
  expect(new Float64Array(rules.memory.tombstones)[TOMBSTONES.written]).toBe(1);
});

describe('a successor', () => {
  test('finds sessions under keys as it finds others, and ends no other', () => {
    const rules = new BareRules(limits);
    made(rules, 'a', { user: 'ann' });
    made(rules, 'b');
    close(rules, 'b');
    expect(rules.succeed().sessions).toBe(1);
    expect([find(rules, 'a')?.data, find(rules, 'b')]).toEqual([{ key: 'a' }, undefined]);
    put(rules, 'a', { again: 1 }, { user: 'ann' });
    expect([find(rules, 'a')?.data, rules.sessionsOfUser(packUser('ann')).length]).toEqual([{ again: 1 }, 1]);
  });

  test('that counts from the beginning again is no reason to take a key’s next session for its last', () => {
    const rules = new BareRules(limits);
    const { lookup } = rules.reader();
    made(rules, 'a', { absolute: 1000 });
    expect(lookup.byKey('a', false)?.data).toEqual({ key: 'a' });
    close(rules, 'a');
    rules.time += 1000;
    rules.succeed();
    put(rules, 'a', { next: true });
    expect(lookup.byKey('a', false)?.data).toEqual({ next: true });
  });

  test('leaves a tombstone for a suspect’s key', () => {
    const rules = new BareRules(limits);
    const { slot } = made(rules, 'a');
    expect(rules.succeed([], slot).setAside).toHaveLength(1);
    expect(put(rules, 'a', {})).toBe('ERR_SESSION_ENDED');
  });

  test('of a manager that died at any write of an ending: it has ended and is refused, or lives on and is replaced', () => {
    for (const [, end] of endings) {
      const outcomes = new Set<unknown>();
      for (let nth = 1; ; nth++) {
        const rules = new BareRules(limits);
        const target = made(rules, 'a');
        const died = dyingAt(nth, () => end(rules, target));
        rules.succeed();
        rules.time += 1;
        const isAlive = find(rules, 'a') !== undefined;
        const answer = put(rules, 'a', { late: true });
        expect([nth, isAlive, typeof answer === 'string' ? answer : 'done']).toEqual([
          nth,
          isAlive,
          isAlive ? 'done' : 'ERR_SESSION_ENDED',
        ]);
        expect(find(rules, 'a')?.data).toEqual(isAlive ? { late: true } : undefined);
        outcomes.add(isAlive);
        if (!died) break;
      }
      expect(outcomes.has(false)).toBe(true);
    }
  });

  test('ends what an ending of many had picked and decided, and leaves a tombstone for its key', () => {
    const rules = new BareRules(limits);
    const { slot } = made(rules, 'a');
    dyingAtDecision(rules);
    expect([
      new Uint8Array(rules.memory.reasons)[slot],
      new Int32Array(rules.memory.header)[HEADER.endingMany],
    ]).toEqual([PICKED | (REASONS.indexOf('closed') + 1), 1]);
    rules.succeed();
    expect([find(rules, 'a'), put(rules, 'a', {})]).toEqual([undefined, 'ERR_SESSION_ENDED']);
  });

  /** The manager dies just after the one store that decides. */
  function dyingAtDecision(rules: BareRules): void {
    const header = new Int32Array(rules.memory.header);
    for (let nth = 1; ; nth++) {
      if (!dyingAt(nth, () => rules.closeAllSessions())) throw new Error('it came to its end');
      if (header[HEADER.endingMany] === 1) return;
    }
  }
});

test('a manager that was given up for dead puts nothing and leaves no tombstones', () => {
  const bare = new BareRules(limits);
  made(bare, 'a');
  const { rules } = bare;
  bare.succeed();
  const { shape: _, ...memory } = bare.memory;
  const buffers = Object.values(memory).flat() as SharedArrayBuffer[];
  const before = buffers.map((buffer) => Buffer.from(new Uint8Array(buffer).slice()));
  const call = (key: string) => ({
    ...{ digest: digestOfKey(key), id: drawIdInto(new Int32Array(4)), idle: 5, absolute: 5, linked: false },
    ...{ user: packUser('bob'), client: NOTHING, data: packData({}) },
  });
  for (const doing of [
    () => applied(() => rules.putSession(call('a'), bare.by())),
    () => applied(() => rules.putSession(call('b'), bare.by())),
    () => rules.closeSessionByKey({ digest: digestOfKey('a'), absolute: 5, note: NOTHING }),
    () => rules.closeSessionByKey({ digest: digestOfKey('b'), absolute: 5, note: NOTHING }),
  ]) {
    expect(doing).toThrow(Fenced);
    buffers.forEach((buffer, n) => {
      expect(Buffer.compare(new Uint8Array(buffer), before[n] as Buffer)).toBe(0);
    });
  }
});

describe('the ring of tombstones', () => {
  const owner = new Owner(new Int32Array(HEADER.words), 0);
  const digests = Array.from({ length: 400 }, (_, n) => digestOfKey(`${n}`));

  test('holds the youngest, whatever is added in whatever order, and so does a successor’s', () => {
    const random = randomFrom('tombstones');
    for (const size of [1, 2, 8, 64]) {
      const memory = reserveTombstones(size);
      let ring = new Tombstones(memory, size, owner);
      const entries: { digest: Int32Array; until: number }[] = [];
      for (let n = 0; n < 400; n++) {
        const entry = { digest: random.pick(digests), until: random.below(500) };
        ring.add(entry.digest, entry.until);
        entries.push(entry);
        if (random.chance(0.05)) {
          ring = new Tombstones(memory, size, owner);
          ring.restore();
        }
        const now = n;
        const held = entries.slice(-size);
        for (const digest of [...held.slice(-5).map((each) => each.digest), random.pick(digests)]) {
          const wanted = held.some((each) => each.digest === digest && each.until > now);
          expect(ring.has(digest, now)).toBe(wanted);
        }
      }
    }
  });

  test('is overwritten from the oldest on: the key that ended longest ago may have a session again', () => {
    const rules = new BareRules({ ...limits, whenFull: 'reject' });
    const { tombstones } = rules.memory.shape;
    for (const key of ['first', 'second']) {
      made(rules, key);
      close(rules, key);
    }
    for (let n = 2; n < tombstones; n++) close(rules, `${n}`);
    expect([put(rules, 'first', {}), put(rules, 'second', {})]).toEqual(['ERR_SESSION_ENDED', 'ERR_SESSION_ENDED']);
    close(rules, 'one more');
    expect([put(rules, 'first', {}), put(rules, 'second', {})]).toEqual([expect.any(Object), 'ERR_SESSION_ENDED']);
    rules.succeed();
    expect([put(rules, 'second', {}), put(rules, 'one more', {})]).toEqual(['ERR_SESSION_ENDED', 'ERR_SESSION_ENDED']);
    // Oldest first, over and over: the ring is no larger than it was.
    expect(rules.memory.tombstones.byteLength).toBe((TOMBSTONES.entries + tombstones * TOMBSTONES.entryWords) * 4);
  });

  test('a number in it that nobody wrote hides nobody and stops nothing', () => {
    for (const nonsense of [Number.NaN, -1, 0.5, 2 ** 60]) {
      const rules = new BareRules(limits);
      made(rules, 'a');
      close(rules, 'a');
      new Float64Array(rules.memory.tombstones)[TOMBSTONES.written] = nonsense;
      rules.succeed();
      made(rules, 'b');
      close(rules, 'b');
      expect(put(rules, 'b', {})).toBe('ERR_SESSION_ENDED');
    }
  });
});
