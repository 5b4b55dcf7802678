/**
 * Several threads change the same sessions, in any order that a scheduler comes upon: whatever it is, all of them see
 * what one session allows, and each call has one outcome.
 */

import fc, { type Scheduler } from 'fast-check';
import { expect, test } from 'vitest';
import { SessionError } from '../../dist/src/index.js';
import type { Lookup, SessionHandle } from '../support/internals.js';
import { randomFrom } from '../support/random.js';
import { Interleaved, type Known } from './interleaved.js';
import { isFound } from './one-session.js';

/** Orders that are tried. */
const RUNS = Number(process.env.COATCHECK_SCHEDULES ?? 2000);
const SESSIONS = 2;
/** More steps than most calls have. */
const STEPS = 24;

const diesAt = fc.oneof({ arbitrary: fc.constant(0), weight: 6 }, fc.integer({ min: 1, max: STEPS }));
const common = { session: fc.nat(SESSIONS - 1), diesAt };
const text = fc.constantFrom('x', 'a longer text', 'x'.repeat(200));
const key = fc.constantFrom('text', 'once');
const user = fc.constantFrom('ann', 'bob');
const doing = fc.oneof(
  fc.record({ do: fc.constantFrom('close' as const, 'update' as const), ...common }),
  { arbitrary: fc.record({ do: fc.constant('login' as const), user, text, ...common }), weight: 2 },
  {
    arbitrary: fc.record({ do: fc.constant('rotate' as const), grace: fc.constantFrom(0, 5, 50), ...common }),
    weight: 3,
  },
  { arbitrary: fc.record({ do: fc.constant('set' as const), key, text, ...common }), weight: 2 },
  fc.record({ do: fc.constant('replace' as const), text, ...common }),
  fc.record({ do: fc.constant('take' as const), ...common }),
);
type Doing = typeof doing extends fc.Arbitrary<infer T> ? T : never;

const happening = fc.oneof(
  fc.record({ do: fc.constant('pass' as const), by: fc.constantFrom(1, 5, 50) }),
  fc.record({ do: fc.constantFrom('sweep' as const, 'restart' as const), diesAt }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What one thread does: one call after the other, and meanwhile lookups. */
const thread = fc.record({
  doings: fc.array(doing, { minLength: 1, maxLength: 4 }),
  looks: fc.array(fc.record({ session: fc.nat(SESSIONS - 1), nth: fc.nat(3) }), { maxLength: 6 }),
});
const threads = fc.array(thread, { minLength: 2, maxLength: 3 });
type Thread = typeof thread extends fc.Arbitrary<infer T> ? T : never;
const happenings = fc.array(happening, { maxLength: 3 });

/** How often each thing was done, with each outcome that there is. */
const counts: Record<string, number> = {};
for (const each of ['close', 'update', 'login', 'rotate', 'set', 'replace', 'take']) {
  counts[`${each} done`] = 0;
  if (each !== 'close') counts[`${each} ERR_SESSION_ENDED`] = 0;
}
counts['rotate ERR_TOKEN_UNKNOWN'] = 0;
counts['replace ERR_SESSION_CONFLICT'] = 0;

async function use(world: Interleaved, line: number, { doings, looks }: Thread): Promise<void> {
  const lookup = world.openLookup(line);
  await Promise.all([call(world, line, lookup, doings), request(world, line, lookup, looks)]);
}

async function call(world: Interleaved, line: number, lookup: Lookup, doings: readonly Doing[]): Promise<void> {
  // All of them have the cookie that the session began with.
  const held = world.known.map(({ state }) => lookup.byCookie(world.tokenOf(state.current), true) as SessionHandle);
  for (const each of doings) {
    const { session, diesAt } = each;
    const known = world.known[session] as Known;
    await world.turn(`thread ${line}: begins to ${each.do}`);
    world.dieAt(line, diesAt);
    const outcome = await outcomeOf(world, line, held[session] as SessionHandle, each);
    const what = `${each.do} ${outcome}`;
    expect(counts).toHaveProperty(what);
    counts[what] = (counts[what] as number) + 1;
    if (outcome === 'ERR_SESSION_ENDED' || (each.do === 'close' && outcome === 'done')) {
      expect([known.state.alive, held[session]?.alive]).toEqual([false, false]);
    }
  }
}

async function outcomeOf(world: Interleaved, line: number, session: SessionHandle, each: Doing): Promise<string> {
  try {
    await change(world, line, session, each);
    return 'done';
  } catch (error) {
    if (error instanceof SessionError) return error.code;
    throw error;
  }
}

async function change(world: Interleaved, line: number, session: SessionHandle, each: Doing): Promise<unknown> {
  switch (each.do) {
    case 'close':
      return session.close();
    case 'login':
      return session.login(each.user, { text: each.text });
    case 'rotate':
      return session.rotate({ grace: each.grace });
    case 'set':
      return session.set({ [each.key]: each.text });
    case 'take':
      return session.take('once');
    case 'replace': {
      const { version } = session;
      await world.turn(`thread ${line}: has read version ${version}`);
      return session.replace({ text: each.text }, { ifVersion: version });
    }
    case 'update':
      return session.update(async (data) => {
        await world.turn(`thread ${line}: is about to change`);
        return { ...data, updates: ((data.updates as number) ?? 0) + 1 };
      });
  }
}

/**
 * Requests with any cookie that there ever was: one that opens a session makes this thread know what its token is now.
 */
async function request(world: Interleaved, line: number, lookup: Lookup, looks: Thread['looks']): Promise<void> {
  for (const { session, nth } of looks) {
    const { id, digests } = world.known[session] as Known;
    await world.turn(`thread ${line}: is shown the cookie before the last ${nth} of session ${session}`);
    const { state } = world.known[session] as Known;
    const digest = [...digests].at(-1 - (nth % digests.size)) as string;
    const found = lookup.byCookie(world.tokenOf(digest), true);
    expect(found?.id).toBe(isFound(state, digest, world.now) ? id : undefined);
    if (found !== undefined) expect(found.currentToken()).toBe(world.tokenOf(state.current));
  }
}

async function happen(world: Interleaved, happenings: readonly Happening[]): Promise<void> {
  for (const each of happenings) {
    await world.turn(each.do);
    if (each.do === 'pass') world.pass(each.by);
    else if (each.do === 'sweep') world.sweep(each.diesAt);
    else world.restart(each.diesAt);
  }
}

test('whatever order calls, answers, lookups and deaths of the manager come in, all see what one session allows', async () => {
  let deaths = 0;
  const run = async (scheduler: Scheduler, users: Thread[], others: Happening[]) => {
    const world = new Interleaved(scheduler, users.length, SESSIONS);
    const all = [...users.map((each, line) => use(world, line, each)), happen(world, others)];
    await scheduler.waitFor(Promise.all(all));
    world.expectNothingLeft();
    deaths += world.deaths;
  };
  const { seed } = randomFrom('interleavings');
  await fc.assert(fc.asyncProperty(fc.scheduler(), threads, happenings, run), { seed, numRuns: RUNS });
  console.info(`interleavings: ${RUNS} schedules, ${deaths} deaths`, counts);
  // What no schedule met, they prove nothing of.
  expect(deaths).toBeGreaterThan(RUNS / 4);
  expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
});
