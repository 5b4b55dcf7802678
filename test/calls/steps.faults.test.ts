/**
 * Work whose length the data decides goes in steps: a beat and a turn for others behind each, nothing reordered,
 * nothing lost between them.
 */

import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BareManager, dyingAt, endEachStepAtOnce, type Packed } from '../contract/bare-manager.js';
import { allOf, type Limits, packData, packPatch, packUser } from '../contract/bare-rules.js';
import { callOf, helloOf } from '../fixtures/frames.js';
import {
  type ByteReader,
  CALL,
  type CloseAllCall,
  CONNECTION,
  decodeData,
  digestOf,
  drawIdInto,
  drawToken,
  HEADER,
  keyDigestInto,
  Owner,
  SessionRecord,
  STEP,
  serve,
  TableView,
  writeClose,
  writeCloseAll,
  writeNewSession,
  writeSet,
} from '../support/internals.js';

const MANY = 100_000;
const NOTHING = new Uint8Array(0);
const nothing = () => undefined;
const limits = {
  maxSessions: MANY,
  maxBytes: 2 ** 26,
  maxSessionBytes: 2 ** 16,
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'end-oldest',
  whenFull: 'reject',
} as const satisfies Limits;
const few = { ...limits, maxSessions: 40, maxBytes: 60_000 };

interface Made {
  readonly user?: string;
  readonly idle?: number;
  readonly linked?: boolean;
  /** Under a caller's own key. */
  readonly key?: string;
  readonly data?: object;
}

const create = ({ user = '', idle = 1e6, linked = false, key, data = {} }: Made = {}): Packed => [
  key === undefined ? CALL.newSession : CALL.putSession,
  (to) => {
    const digest = key === undefined ? digestOf(drawToken()) : keyDigestInto(key, new Int32Array(8));
    const rest = { idle, absolute: 1e9, linked, user: packUser(user), client: NOTHING };
    writeNewSession(to, { digest, id: drawIdInto(new Int32Array(4)), ...rest });
    to.raw(packData(data));
  },
];

const closeAll = (filter: Partial<CloseAllCall> = {}): Packed => {
  const everything = { user: undefined, except: undefined, createdBefore: Infinity, limit: Infinity };
  return [CALL.closeAllSessions, (to) => writeCloseAll(to, { ...everything, ...filter })];
};

interface Target {
  readonly slot: number;
  readonly generation: number;
}

const set = (target: Target, patch: object): Packed => [
  CALL.set,
  (to) => {
    writeSet(to, target);
    to.raw(packPatch(patch));
  },
];

const ofUser = (user: string): Packed => [
  CALL.sessionsOfUser,
  (to) => {
    to.u16(packUser(user).length);
    to.raw(packUser(user));
  },
];

/** Makes sessions, a thousand at once; returns the last. */
function fill(bare: BareManager, count: number, made: (n: number) => Made = () => ({})): Target {
  let last: Target = { slot: -1, generation: 0 };
  for (let n = 0; n < count; n += 1000) {
    const calls = Array.from({ length: Math.min(1000, count - n) }, (_, i) => create(made(n + i)));
    for (const [answer, from] of bare.execute(0, bare.batch(0, calls))) {
      if (answer !== 'done') throw new Error(answer);
      last = { slot: from.u32(), generation: from.u32() | 0 };
    }
    bare.arrive(0);
  }
  return last;
}

/**
 * What is done between two beats at most, while `work` runs: writes to shared memory, cells that are read, slots that
 * are looked at.
 */
function worst(work: () => unknown): { writes: number; cells: number; slots: number; beats: number } {
  const { check, beat } = Owner.prototype;
  const { copyWords, mark } = TableView.prototype;
  const now = { writes: 0, cells: 0, slots: 0 };
  const most = { ...now, beats: 0 };
  const note = () => {
    for (const what of ['writes', 'cells', 'slots'] as const) {
      most[what] = Math.max(most[what], now[what]);
      now[what] = 0;
    }
  };
  Owner.prototype.check = function count(this: Owner) {
    now.writes++;
    check.call(this);
  };
  Owner.prototype.beat = function begin(this: Owner) {
    note();
    most.beats++;
    beat.call(this);
  };
  TableView.prototype.copyWords = function count(this: TableView, pointer, into, from, to) {
    now.cells += Math.ceil((to - from) / 15);
    return copyWords.call(this, pointer, into, from, to);
  };
  TableView.prototype.mark = function count(this: TableView, slot: number) {
    now.slots++;
    return mark.call(this, slot);
  };
  try {
    work();
  } finally {
    Object.assign(Owner.prototype, { check, beat });
    Object.assign(TableView.prototype, { copyWords, mark });
  }
  note();
  return most;
}

/** What a step may hold of each: a unit is worth some ten writes or cells, or slots that are looked at. */
const MOST = { writes: 20 * STEP, cells: 20 * STEP, slots: 20 * STEP };

function expectSteps(work: () => unknown): void {
  const { beats, ...most } = worst(work);
  expect(beats).toBeGreaterThan(3);
  for (const what of ['writes', 'cells', 'slots'] as const) {
    expect(most[what], `${what} of a step`).toBeLessThanOrEqual(MOST[what]);
  }
}

describe(`with ${MANY} sessions, no step is longer than a step may be`, () => {
  const run = (bare: BareManager, ...calls: Packed[]) => bare.execute(1, bare.batch(1, calls));
  const numberOf = ([[, from] = []]: ReturnType<typeof run>) => from?.u32();
  /** Names, which sessions there are, what is done, and how many sessions are left. */
  const operations: [string, Partial<Limits>, (n: number) => Made, (bare: BareManager) => unknown, number][] = [
    ['closeAllSessions', {}, nothing as never, (bare) => expect(numberOf(run(bare, closeAll()))).toBe(MANY), 0],
    [
      'closeAllSessions of sessions under keys',
      {},
      (n) => ({ key: `${n}` }),
      (bare) => expect(numberOf(run(bare, closeAll()))).toBe(MANY),
      0,
    ],
    [
      'closeAllSessions of one user',
      {},
      () => ({ user: 'ann' }),
      (bare) => expect(numberOf(run(bare, closeAll({ user: packUser('ann') })))).toBe(MANY),
      0,
    ],
    [
      'closeAllSessions that picks by age and finds none',
      {},
      nothing as never,
      (bare) => expect(numberOf(run(bare, closeAll({ createdBefore: 1 })))).toBe(0),
      MANY,
    ],
    [
      'the first eviction in a full table',
      { whenFull: 'end-longest-idle' },
      nothing as never,
      (bare) => {
        // Everybody was seen since: no order that was kept would be true.
        const { slots } = bare.table.view;
        for (let slot = 0; slot < MANY; slot++) slots[slot * 4 + 2] = (slots[slot * 4 + 2] as number) + 5 + (slot % 7);
        bare.time += 20;
        expect(run(bare, create())[0]?.[0]).toBe('done');
      },
      MANY,
    ],
    [
      'a session that begins when the time of all others is over',
      {},
      () => ({ idle: 10, user: 'ann' }),
      (bare) => {
        bare.time += 10;
        expect(run(bare, create())[0]?.[0]).toBe('done');
        while (!allOf(bare.rules.sweep(1000)).isOver) bare.table.pace.begin();
      },
      1,
    ],
    [
      'a session of a user who has as many as allowed, when the time of all others is over',
      { maxSessionsPerUser: MANY / 2 },
      (n) => (n % 2 ? { user: 'ann' } : { idle: 10 }),
      (bare) => {
        bare.time += 10;
        expect(run(bare, create({ user: 'ann' }))[0]?.[0]).toBe('done');
      },
      MANY / 2,
    ],
    [
      'the list of one user’s sessions',
      {},
      () => ({ user: 'ann' }),
      (bare) => expect(numberOf(run(bare, ofUser('ann')))).toBe(MANY),
      MANY,
    ],
    [
      'a thread that leaves, to which all are linked',
      {},
      () => ({ linked: true }),
      (bare) => bare.execute(0, bare.batch(0, [[CALL.leave, nothing]])),
      0,
    ],
    [
      'reports of tokens that came back',
      {},
      nothing as never,
      (bare) => {
        const { view } = bare.table;
        view.reports.fill(-1);
        view.header[HEADER.reports] = 1;
        const tidying = bare.endings.tidying();
        while (!tidying.next().done) bare.table.pace.begin();
      },
      MANY,
    ],
    [
      'a successor that finds them, and one user’s in no order',
      {},
      () => ({ user: 'ann' }),
      (bare) => {
        expect(bare.succeed().sessions).toBe(MANY);
      },
      MANY,
    ],
  ];

  test.each(operations)('%s', (_, options, made, work, left) => {
    const bare = new BareManager({ ...limits, ...options });
    fill(bare, MANY, made ?? (() => ({})));
    expectSteps(() => work(bare));
    expect(bare.sessions.live).toBe(left);
  });

  test('a batch of changes of a large session', () => {
    const bare = new BareManager(limits);
    const large = fill(bare, 1, () => ({ data: { text: 'x'.repeat(58_000) } }));
    const changes = Array.from({ length: 500 }, (_, n) => set(large, { n }));
    expectSteps(() => run(bare, ...changes));
  });
});

describe('between two steps', () => {
  /** A manager with some sessions that ends each step as soon as it can. */
  function hurried(count: number, made?: (n: number) => Made, options: Partial<Limits> = {}): BareManager {
    const bare = new BareManager({ ...few, ...options }, 3);
    fill(bare, count, made);
    onTestFinished(endEachStepAtOnce());
    return bare;
  }
  const numberOf = (bare: BareManager, job: ReturnType<BareManager['begin']>) => bare.answersOf(job)[0]?.[1].u32();

  test('a freed session is no sign of life', () => {
    const bare = new BareManager(few);
    const target = fill(bare, 1);
    const beats = () => bare.table.view.header[HEADER.heartbeat] as number;
    const before = beats();
    bare.rules.close(target, false, NOTHING);
    expect(beats()).toBe(before);
  });

  test('a thread that is gone before its greeting has its turn is not entered', async () => {
    const bare = hurried(20);
    const { rules, endings, executor } = bare;
    const { connections } = executor;
    const before = connections.count;
    bare.begin(0, bare.batch(0, [closeAll()]));
    const { port1, port2 } = new MessageChannel();
    const { owner } = bare.table;
    const joined = () => {};
    serve(port2, { rules, endings, connections, executor, owner, settings: {}, newNumber: () => 9, joined });
    port1.postMessage(callOf('greet', helloOf(), 'greeting'));
    const closed = once(port2, 'close');
    port1.close();
    await closed;
    bare.goOn();
    expect(connections.count).toBe(before);
  });

  test('a short call of another thread is answered while a long one goes on, and keeps its own reply', () => {
    const bare = hurried(30);
    const long = bare.begin(0, bare.batch(0, [closeAll(), ofUser('nobody')]));
    bare.goOn(3);
    const short = bare.begin(1, bare.batch(1, [ofUser('ann'), create({ user: 'ann' })]));
    bare.goOn(6);
    expect(bare.answersOf(short).map(([answer, from]) => [answer, from.left])).toEqual([
      ['done', 4],
      ['done', 16],
    ]);
    expect(long.outcome()).toBeInstanceOf(Promise);
    bare.goOn();
    expect(bare.answersOf(long).map(([, from]) => from.u32())).toEqual([30, 0]);
  });

  test('the calls of one connection keep their order, in one batch and in several', () => {
    const bare = hurried(2);
    const target = fill(bare, 1);
    const jobs = [0, 1, 2].map((n) => bare.begin(0, bare.batch(0, [set(target, { n }), set(target, { m: n })])));
    bare.goOn();
    for (const job of jobs) expect(bare.answersOf(job).every(([answer]) => answer === 'done')).toBe(true);
    const record = new SessionRecord();
    bare.table.view.load(target.slot, record, true);
    expect([record.version, decodeData(record.data)]).toEqual([6, { n: 2, m: 2 }]);
  });

  test('closeAllSessions touches no session that begins meanwhile, and ends each that lived, changed or not', () => {
    const bare = hurried(30);
    const last = fill(bare, 1);
    // In whose places the others begin, before it comes there.
    const generation = bare.table.view.generation(0);
    for (const slot of [25, 26, 27, 28, 29]) bare.rules.close({ slot, generation }, false, NOTHING);
    const closing = bare.begin(0, bare.batch(0, [closeAll()]));
    const begun: ReturnType<BareManager['begin']>[] = [];
    for (let n = 0; bare.goOn(2) > 0; n++) {
      if (n < 20) bare.begin(1, bare.batch(1, [set(last, { n })]));
      if (n < 5) begun.push(bare.begin(2, bare.batch(2, [create()])));
    }
    expect(numberOf(bare, closing)).toBe(26);
    const alive = begun.map((job) => {
      const [[, from] = []] = bare.answersOf(job);
      const target = { slot: from?.u32() ?? -1, generation: (from?.u32() ?? 0) | 0 };
      return [target.slot, !bare.rules.endIfOver(target)];
    });
    expect(alive).toEqual([25, 26, 27, 28, 29].map((slot) => [slot, true]));
    expect(bare.sessions.live).toBe(5);
  });

  test('two that end everything at once end each session once', () => {
    const bare = hurried(30);
    const one = bare.begin(0, bare.batch(0, [closeAll()]));
    bare.goOn(9);
    bare.begin(2, bare.batch(2, [create()]));
    const other = bare.begin(1, bare.batch(1, [closeAll()]));
    bare.goOn();
    const [first, second] = [one, other].map((job) => numberOf(bare, job)) as [number, number];
    // What began before the second was called is the second's.
    expect([first + second, bare.sessions.live, bare.sessions.ended.closed]).toEqual([31, 0, 31]);
  });

  test('one that ends a user’s sessions meets each that stays his, though others of his come and go', () => {
    const bare = hurried(30, () => ({ user: 'ann' }));
    const closing = bare.begin(0, bare.batch(0, [closeAll({ user: packUser('ann') })]));
    bare.goOn(4);
    const generation = bare.table.view.generation(0);
    const close = (slot: number): Packed => [CALL.close, (to) => writeClose(to, { slot, generation }, false)];
    // Those at which it is among them, one after the other.
    const gone = Array.from({ length: 20 }, (_, slot) => slot);
    for (const slot of gone) bare.rules.close({ slot, generation }, false, NOTHING);
    bare.begin(1, bare.batch(1, [close(29), create({ user: 'ann' })]));
    bare.goOn();
    expect(bare.sessions.live).toBe(1);
    expect(numberOf(bare, closing)).toBeGreaterThanOrEqual(9);
  });

  test('a manager that dies there loses and repeats no count, and its successor touches no newcomer', () => {
    let deaths = 0;
    for (let nth = 1; ; nth += 3) {
      const bare = new BareManager(few, 3);
      fill(bare, 20, (n) => (n % 2 ? { key: `${n}` } : {}));
      const leave = endEachStepAtOnce();
      const [everything, newcomer] = [bare.batch(0, [closeAll()]), bare.batch(1, [create()])];
      let jobs = [bare.begin(0, bare.batch(0, []))];
      const work = () => {
        jobs = [bare.begin(0, everything)];
        bare.goOn(12);
        jobs.push(bare.begin(1, newcomer));
        bare.goOn();
      };
      const died = dyingAt(nth, work);
      if (died) {
        deaths++;
        bare.succeed();
        work();
      }
      leave();
      const [[closed], [[made]]] = jobs.map((job) => bare.answersOf(job)) as [[[string, ByteReader]], [[string]]];
      expect([nth, closed[1].u32(), made, bare.sessions.live]).toEqual([nth, 20, 'done', 1]);
      if (!died) break;
    }
    expect(deaths).toBeGreaterThan(50);
  });
});

test('what waits for room when its thread gives up is not done any more', () => {
  const bare = new BareManager({ ...few, maxSessions: 8, whenFull: 'end-longest-idle' });
  fill(bare, 8);
  onTestFinished(endEachStepAtOnce());
  const job = bare.begin(0, bare.batch(0, [create()]));
  const { words } = bare.connections[0] as (typeof bare.connections)[number];
  Atomics.store(words, CONNECTION.settled, Atomics.load(words, CONNECTION.begun));
  bare.goOn();
  expect(bare.answersOf(job)[0]?.[0]).toBe('given-up');
});
