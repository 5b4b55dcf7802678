/**
 * A manager dies before each of its writes in turn; its successor gets the same calls again. What comes of it is what
 * would have come without the death.
 */

import { expect, onTestFinished, test } from 'vitest';
import { BareManager, dyingAt, endEachStepAtOnce, type Packed } from '../contract/bare-manager.js';
import { allOf, bareToken, packData, packPatch, packUser } from '../contract/bare-rules.js';
import {
  CALL,
  digestOf,
  drawIdInto,
  drawToken,
  formatId,
  Handles,
  keyDigestInto,
  Lookup,
  readTarget,
  SessionRecord,
  seal,
  TableView,
  writeClose,
  writeCloseAll,
  writeCloseByKey,
  writeLogin,
  writeNewSession,
  writeReplace,
  writeRotate,
  writeSet,
  writeSetIdleTimeout,
  writeTake,
} from '../support/internals.js';
import { randomFrom } from '../support/random.js';

const limits = {
  maxSessions: 32,
  maxBytes: 60_000,
  maxSessionBytes: 4000,
  maxSessionsPerUser: 3,
  whenOverLimit: 'end-oldest',
  whenFull: 'reject',
} as const;
const NOTHING = new Uint8Array(0);
const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
const nothing = () => undefined;
const tokens = Array.from({ length: 16 }, drawToken);
const ids = tokens.map(() => drawIdInto(new Int32Array(4)));
const token = (n: number) => tokens[n] as string;
const digestOfKey = (key: string) => keyDigestInto(key, new Int32Array(8));
const keys = ['new', 'old', 'gone', 'unknown'];

const create = (n: number, user = '', digest = digestOf(token(n))): Packed => [
  CALL.newSession,
  (to) => {
    const times = { idle: 1000, absolute: 100_000, linked: false, client: NOTHING };
    writeNewSession(to, { digest, id: ids[n] as Int32Array, ...times, user: packUser(user) });
    to.raw(packData({ n, once: `ticket ${n}`.repeat(20) }));
  },
];

const put = (key: string, n: number, user: string, data: object): Packed => [
  CALL.putSession,
  (to) => {
    const times = { idle: 1000, absolute: 100_000, linked: false, client: NOTHING };
    writeNewSession(to, { digest: digestOfKey(key), id: ids[n] as Int32Array, ...times, user: packUser(user) });
    to.raw(packData(data));
  },
];
const closeKey = (key: string): Packed => [
  CALL.closeSessionByKey,
  (to) => writeCloseByKey(to, digestOfKey(key), 100_000),
];

interface Target {
  readonly slot: number;
  readonly generation: number;
}

/** Calls of every kind, some of which hit the same session, some of which are refused. */
function calls(targets: readonly Target[]): Packed[] {
  const target = (n: number) => targets[n] as Target;
  const set = (n: number, patch: object, ifVersion?: number): Packed => [
    CALL.set,
    (to) => {
      writeSet(to, target(n), ifVersion);
      to.raw(packPatch(patch));
    },
  ];
  const replace = (n: number, ifVersion: number, data: object): Packed => [
    CALL.replace,
    (to) => {
      writeReplace(to, target(n), ifVersion);
      to.raw(packData(data));
    },
  ];
  const take = (n: number, key: string, ifVersion?: number, instead: object = {}): Packed => [
    CALL.take,
    (to) => {
      writeTake(to, target(n), key, ifVersion);
      to.raw(packPatch(instead));
    },
  ];
  const rotate = { target: target(3), from: digestOf(token(3)), to: digestOf(token(13)), grace: 50 };
  const login = { target: target(2), digest: digestOf(token(12)), user: packUser('ann') };
  return [
    set(0, { a: 1 }),
    replace(0, 7, { never: true }),
    replace(0, 1, { b: 2 }),
    take(1, 'once'),
    set(4, { a: 1 }, 0),
    set(4, { never: true }, 0),
    take(4, 'once', 1, { once: 'another', more: true }),
    take(4, 'n', 1),
    set(6, { a: 1 }),
    create(8),
    [CALL.login, (to) => writeLogin(to, login.target, login.digest, login.user)],
    [CALL.rotate, (to) => writeRotate(to, { ...rotate, sealed: seal(token(3), token(13)) })],
    [CALL.setIdleTimeout, (to) => writeSetIdleTimeout(to, target(4), 77)],
    [CALL.close, (to) => writeClose(to, target(5), false)],
    put('new', 14, 'eve', { made: true }),
    put('old', 15, 'eve', { instead: 'x'.repeat(200) }),
    closeKey('gone'),
    put('gone', 15, '', { late: true }),
    closeKey('unknown'),
    take(1, 'once'),
    set(5, { late: true }),
    create(9, 'ann'),
    create(10, 'ann'),
    create(11, 'ann', digestOf(token(9))),
    create(11, 'ann'),
    [
      CALL.closeAllSessions,
      (to) => writeCloseAll(to, { user: packUser('bob'), except: undefined, createdBefore: Infinity, limit: Infinity }),
    ],
    [CALL.sweep, nothing],
    [
      CALL.sessionsOfUser,
      (to) => {
        to.u16(3);
        to.raw(packUser('ann'));
      },
    ],
    set(0, { c: 3 }),
    take(0, 'b'),
  ];
}

/** Does the calls; before its `nth` write the manager dies, and its successor before its `mth`, if they come so far. */
function outcome(nth: number, mth: number) {
  const bare = new BareManager(limits);
  const made = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => create(n, n === 7 || n === 6 ? 'bob' : ''));
  made[6] = create(6);
  made.push(put('old', 12, 'bob', { a: 1 }), put('gone', 13, '', { a: 1 }));
  const targets = bare
    .execute(0, bare.batch(0, made))
    .map(([, from]) => ({ slot: from.u32(), generation: from.u32() | 0 }));
  bare.time += 5;
  const batch = bare.batch(0, calls(targets));
  let answers: ReturnType<typeof bare.execute> | undefined;
  const first = dyingAt(nth, () => {
    answers = bare.execute(0, batch);
  });
  let second = false;
  if (first) {
    second = dyingAt(mth, () => void bare.succeed());
    expect(bare.succeed().setAside).toEqual([]);
  }
  // Another thread is quicker with its own call.
  const other: Packed = [
    CALL.set,
    (to) => {
      writeSet(to, targets[6] as Target);
      to.raw(packPatch({ z: 26 }));
    },
  ];
  expect(bare.execute(1, bare.batch(1, [other]))[0]?.[0]).toBe('done');
  if (first) answers = bare.execute(0, batch);
  const record = new SessionRecord();
  const load = (slot: number) => bare.table.view.load(slot, record);
  const readable = (answers ?? []).map(([answer, from], i) => {
    if (answer !== 'done') return [answer];
    const which = calls(targets)[i]?.[0];
    if (which === CALL.newSession || which === CALL.putSession) {
      const slot = from.u32();
      const generation = from.u32() | 0;
      const found = load(slot) !== 0 && record.generation === generation;
      return [answer, found ? formatId(record.id) : 'gone', from.f64()];
    }
    if (which === CALL.sessionsOfUser) {
      return [answer, Array.from({ length: from.u32() }, () => load(readTarget(from).slot) && formatId(record.id))];
    }
    return [answer, Buffer.from(from.bytes).toString('hex')];
  });
  const context = { view: new TableView(bare.memory), now: () => bare.time, maxSessionBytes: 4000, callTimeout: 1 };
  const lookup = new Lookup(
    context.view,
    context.now,
    bareToken,
    { ...context, checked: undefined } as never,
    new Handles(),
  );
  const looked = [
    ...tokens.map((each) => lookup.byCookie(each, false)),
    ...keys.map((key) => lookup.byKey(key, false)),
  ];
  const seen = looked.map((session) => {
    return session && [session.id, session.data, session.version, session.userId, session.expiresAt?.getTime()];
  });
  sweep(bare);
  const counted = [bare.sessions.live, bare.sessions.created, bare.table.dataBytes, bare.table.slotsInUse];
  allOf(bare.rules.closeAllSessions(everything));
  bare.arrive(0);
  for (let i = 0; i < 3; i++) sweep(bare);
  const left = [bare.table.cells.inUse, bare.table.slotsInUse];
  return { died: [first, second], readable, seen, counted, left };
}

function sweep(bare: BareManager): void {
  while (!allOf(bare.rules.sweep(1000)).isOver);
}

const never = Number.POSITIVE_INFINITY;
const sweepAt = calls(Array(8).fill({ slot: 0, generation: 0 })).findIndex(([which]) => which === CALL.sweep);

/** As many steps as there can be, or as few. */
const paces = [
  ['in few steps', false],
  ['in as many steps as there can be', true],
] as const;

test.each(paces)(
  '%s, a call is done once and answered once, before whichever write its manager dies',
  (_pace, isHurried) => {
    if (isHurried) onTestFinished(endEachStepAtOnce());
    const without = outcome(never, never);
    expect(without.readable.map(([answer]) => answer).filter((answer) => answer !== 'done')).toEqual([
      'ERR_SESSION_CONFLICT',
      'ERR_SESSION_CONFLICT',
      'ERR_SESSION_CONFLICT',
      'ERR_SESSION_ENDED',
      'ERR_SESSION_ENDED',
      'used',
    ]);
    let deaths = 0;
    for (let nth = 1; ; nth++) {
      const { died, ...rest } = outcome(nth, never);
      if (!died[0]) break;
      deaths++;
      if (rest.readable[sweepAt]?.[0] === 'ERR_MANAGER_RESTARTED')
        rest.readable[sweepAt] = without.readable[sweepAt] as [];
      const { died: _, ...expected } = without;
      expect({ nth, ...rest }).toEqual({ nth, ...expected });
    }
    expect(deaths).toBeGreaterThan(200);
  },
  120_000,
);

test.each(paces)(
  '%s, the same holds if its successor dies as well, before whichever write',
  (_pace, isHurried) => {
    if (isHurried) onTestFinished(endEachStepAtOnce());
    const random = randomFrom('two deaths');
    const { died: _, ...expected } = outcome(never, never);
    let both = 0;
    for (let round = 0; round < 400; round++) {
      const nth = 1 + random.below(400);
      const mth = 1 + random.below(150);
      const { died, ...rest } = outcome(nth, mth);
      if (died[1]) both++;
      if (rest.readable[sweepAt]?.[0] === 'ERR_MANAGER_RESTARTED')
        rest.readable[sweepAt] = expected.readable[sweepAt] as [];
      expect({ nth, mth, ...rest }).toEqual({ nth, mth, ...expected });
    }
    expect(both).toBeGreaterThan(100);
  },
  120_000,
);

test('what a take has answered is kept until it has arrived, however much others change and whoever manages', () => {
  const bare = new BareManager(limits);
  const [taken, other] = bare
    .execute(0, bare.batch(0, [create(0), create(1)]))
    .map(([, from]) => ({ slot: from.u32(), generation: from.u32() | 0 })) as [Target, Target];
  const take: Packed = [CALL.take, (to) => writeTake(to, taken, 'once')];
  const batch = bare.batch(0, [take]);
  const answered = () => bare.execute(0, batch).map(([answer, from]) => [answer, Buffer.from(from.bytes).toString()]);
  const [[answer, value] = []] = answered();
  expect([answer, value]).toEqual(['done', expect.stringContaining('ticket 0')]);
  // More than the quarantine holds.
  for (let n = 0; n < 2000; n++) {
    const change: Packed = [
      CALL.set,
      (to) => {
        writeSet(to, other);
        to.raw(packPatch({ n }));
      },
    ];
    bare.execute(1, bare.batch(1, [change]));
  }
  for (let n = 0; n < 2; n++) {
    bare.succeed();
    expect(answered()).toEqual([[answer, value]]);
  }
});
