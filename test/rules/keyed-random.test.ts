/**
 * Sessions under keys beside others, over random sequences of calls in a table so small that limits are met all the
 * time: what the lists say is what the records say, and no key comes back.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applied, BareRules, packData, packUser } from '../contract/bare-rules.js';
import { digestOf, drawIdInto, drawToken, keyDigestInto } from '../support/internals.js';

const NOTHING = new Uint8Array(0);
const TOMBSTONE_LIFETIME = 1000;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];
const USERS = ['', 'ann', 'bob'];
const digest = (key: string) => keyDigestInto(key, new Int32Array(8));

const key = fc.constantFrom(...KEYS);
const user = fc.constantFrom(...USERS);
const text = fc.nat(200).map((length) => 'x'.repeat(length));
const step = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('put' as const), key, user, text }), weight: 6 },
  fc.record({ do: fc.constant('new' as const), user, text }),
  fc.record({ do: fc.constant('close' as const), key }),
  fc.record({ do: fc.constant('look' as const), key }),
  fc.record({
    do: fc.constant('closeAll' as const),
    user: fc.option(fc.constantFrom('ann', 'bob'), { nil: undefined }),
  }),
  { arbitrary: fc.record({ do: fc.constant('advance' as const), by: fc.constantFrom(1, 30, 100, 400) }), weight: 2 },
  fc.record({ do: fc.constantFrom('sweep' as const, 'free' as const, 'succeed' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const limits = fc.record({
  maxSessions: fc.constantFrom(3, 8),
  maxBytes: fc.constantFrom(500, 5000),
  maxSessionBytes: fc.constant(600),
  maxSessionsPerUser: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
  whenOverLimit: fc.constantFrom('reject' as const, 'end-oldest' as const),
  whenFull: fc.constantFrom('reject' as const, 'end-longest-idle' as const),
});

class Keys {
  readonly rules: BareRules;
  readonly reader;
  /** What was put last, of keys that were alive when it was last looked. */
  readonly alive = new Map<string, { user: string; text: string }>();
  /** Until when a key has a tombstone, at least. */
  readonly tombstones = new Map<string, number>();
  puts = 0;
  refusals = 0;

  constructor(chosen: typeof limits extends fc.Arbitrary<infer T> ? T : never) {
    this.rules = new BareRules(chosen);
    this.reader = this.rules.reader();
  }

  do(step: Step): void {
    const { rules: bare } = this;
    const { rules } = bare;
    const times = { idle: 300, absolute: TOMBSTONE_LIFETIME, linked: false, client: NOTHING };
    switch (step.do) {
      case 'put': {
        const { key, user, text } = step;
        const call = { ...times, digest: digest(key), id: drawIdInto(new Int32Array(4)), user: packUser(user) };
        const reply = applied(() => rules.putSession({ ...call, data: packData({ text }) }, bare.by()));
        this.look();
        if ((this.tombstones.get(key) ?? 0) > bare.time) {
          this.refusals++;
          expect([key, reply]).toEqual([key, 'ERR_SESSION_ENDED']);
        }
        if (typeof reply !== 'string') {
          this.puts++;
          this.alive.set(key, { user, text });
          this.tombstones.delete(key);
        }
        return;
      }
      case 'new': {
        const call = { ...times, digest: digestOf(drawToken()), id: drawIdInto(new Int32Array(4)) };
        const data = packData({ text: step.text });
        applied(() => rules.newSession({ ...call, user: packUser(step.user), data }, bare.by()));
        return;
      }
      case 'close':
        rules.closeSessionByKey({ digest: digest(step.key), absolute: TOMBSTONE_LIFETIME, note: NOTHING });
        expect(this.reader.lookup.byKey(step.key, false)).toBeUndefined();
        this.tombstones.set(step.key, Math.max(this.tombstones.get(step.key) ?? 0, bare.time + TOMBSTONE_LIFETIME / 2));
        this.alive.delete(step.key);
        return;
      case 'look':
        this.reader.lookup.byKey(step.key, true);
        return;
      case 'closeAll': {
        bare.closeAllSessions({ user: step.user === undefined ? undefined : packUser(step.user) });
        return;
      }
      case 'advance':
        bare.time += step.by;
        return;
      case 'sweep':
        bare.sweep();
        return;
      case 'free':
        bare.endings.freeSome(1);
        return;
      default:
        bare.succeed();
    }
  }

  /** Notes which keys have ended since the last look: their tombstones last from an instant after that look on. */
  look(): void {
    for (const key of this.alive.keys()) {
      if (this.reader.lookup.byKey(key, false) !== undefined) continue;
      this.alive.delete(key);
      this.#ended.add(key);
    }
  }

  readonly #ended = new Set<string>();

  async compare(): Promise<void> {
    const { rules, reader } = this;
    this.look();
    for (const [key, { user, text }] of this.alive) {
      const session = reader.lookup.byKey(key, false);
      expect([key, session?.data, session?.userId]).toEqual([key, { text }, user || undefined]);
    }
    // A key that was seen alive and is gone is refused now, whatever it was that ended it, and whoever notices it
    // first.
    for (const key of this.#ended) {
      const call = { idle: 1, absolute: 1, linked: false, client: NOTHING, user: NOTHING, data: packData({}) };
      const put = { ...call, digest: digest(key), id: drawIdInto(new Int32Array(4)) };
      expect([key, applied(() => rules.rules.putSession(put, rules.by()))]).toEqual([key, 'ERR_SESSION_ENDED']);
    }
    this.#ended.clear();
    for (const user of ['ann', 'bob']) {
      const [listed, all]: [string[], string[]] = [[], []];
      for await (const { id } of reader.list(user)) listed.push(id);
      for await (const { id, userId } of reader.list()) if (userId === user) all.push(id);
      expect(listed.sort()).toEqual(all.sort());
      expect(all.length).toBeLessThanOrEqual(rules.limits.maxSessionsPerUser);
    }
  }
}

test('whatever is called in whatever order, lists and records agree, and a key that has ended has no session', async () => {
  let puts = 0;
  let refusals = 0;
  const run = async (chosen: typeof limits extends fc.Arbitrary<infer T> ? T : never, steps: Step[]) => {
    const keys = new Keys(chosen);
    for (const step of steps) {
      keys.do(step);
      await keys.compare();
    }
    puts += keys.puts;
    refusals += keys.refusals;
    const { table, sessions } = keys.rules;
    keys.rules.closeAllSessions();
    for (let n = 0; n < 3; n++) keys.rules.sweep();
    expect([sessions.live, table.slotsInUse, table.dataBytes, table.cells.inUse]).toEqual([0, 0, 0, 0]);
    expect(USERS.map((user) => sessions.users.count(packUser(user)))).toEqual([0, 0, 0]);
  };
  await fc.assert(fc.asyncProperty(limits, fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), run), {
    numRuns: 150,
  });
  expect([puts > 1000, refusals > 300]).toEqual([true, true]);
});
