/**
 * The checker of histories, held against generated ones: what the bare rules did one by one is accepted, however much
 * the instants are spread; with one observation altered it is not; and of small histories the search says what trying
 * every order says.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Session } from '../../dist/src/index.js';
import { overBareRules } from '../contract/hosts.js';
import { Recorder } from '../fixtures/recorder.js';
import { checkHistory } from './check.js';
import type { Operation } from './operations.js';
import * as s from './script.js';
import { type Prepared, prepare, type SessionState, sessionModel } from './session-model.js';

// ------------------------------------------------------------ what the rules did

const key = fc.constantFrom('a', 'b');
const step = fc.record({
  do: fc.constantFrom('new', 'look', 'look', 'look', 'id', 'set', 'replace', 'take', 'login', 'rotate', 'close', 'all'),
  by: fc.nat(2),
  nth: fc.nat(1000),
  key,
  n: fc.nat(3),
  /** How many steps before and after its own it may have been called and answered. */
  before: fc.nat(4),
  after: fc.nat(4),
  /** Whether nobody heard what came of it. */
  unheard: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const steps = fc.array(step, { minLength: 10, maxLength: 120, size: 'max' });

interface Recorded {
  readonly operation: Operation;
  readonly step: Step;
}

/** Does each step once the one before it is over. */
async function run(all: readonly Step[]): Promise<Recorded[]> {
  const { manager } = await overBareRules();
  const recorders = ['A', 'B', 'C'].map((name) => new Recorder(manager, name));
  const cookies: string[] = [];
  const sessions: Session[] = [];
  const recorded: Recorded[] = [];
  for (const each of all) {
    const recorder = recorders[each.by] as Recorder;
    const known = recorder.operations.length;
    const session = sessions[each.nth % sessions.length];
    if (each.do === 'new' || session === undefined) {
      const made = await recorder.newSession({ data: { [each.key]: each.n }, ...(each.n > 1 && { userId: 'ann' }) });
      if (made !== undefined) sessions.push(made);
    } else await doTo(recorder, session, cookies[each.nth % cookies.length] as string, each);
    // Of what is alive, every token that there ever was is known.
    for (const live of sessions) if (live.alive) cookies.push(manager.getCookieData(live).value);
    for (const operation of recorder.operations.slice(known)) recorded.push({ operation, step: each });
  }
  return recorded;
}

async function doTo(recorder: Recorder, session: Session, cookie: string, { do: what, key, n }: Step): Promise<void> {
  if (what === 'look') recorder.look(cookie);
  else if (what === 'id') recorder.lookById(session.id);
  else if (what === 'set') await recorder.set(session, { [key]: n === 0 ? undefined : n });
  else if (what === 'replace') await recorder.replace(session, { [key]: n }, { ifVersion: n });
  else if (what === 'take') await recorder.take(session, key);
  else if (what === 'login') await recorder.login(session, n > 1 ? 'ann' : 'bob', n % 2 === 0 ? { [key]: n } : {});
  else if (what === 'rotate') await recorder.rotate(session, { grace: n === 0 ? 0 : 3_600_000 });
  else if (what === 'close' && n === 0) await recorder.close(session);
  else if (what === 'all' && n === 0) await recorder.closeAllSessions({ userId: 'ann' });
}

/** Each at its own moment, which the others do not touch. */
function onePerMoment(recorded: readonly Recorded[]): Recorded[] {
  return recorded.map(({ operation, step }, i) => ({
    operation: { ...operation, call: 100 * i, return: 100 * i + 50 },
    step,
  }));
}

function spread({ operation, step: { before, after, unheard } }: Recorded): Operation {
  const wide = { ...operation, call: operation.call - 100 * before, return: operation.return + 100 * after };
  // The thread that logs in is told the token, and the history says so: it was heard.
  const isChange = ['set', 'replace', 'take', 'rotate', 'close', 'closeAll'].includes(operation.do);
  if (!unheard || !isChange) return wide;
  if (wide.do === 'take') wide.value = undefined;
  if (wide.do === 'rotate') wide.token = undefined;
  return { ...wide, outcome: 'unknown', return: Number.POSITIVE_INFINITY };
}

test('what was done one by one is accepted, however much the instants are spread and however few outcomes were heard', async () => {
  const accepted = async (all: Step[]) => {
    const history = onePerMoment(await run(all));
    expect(checkHistory(history.map(({ operation }) => operation)).failures).toEqual([]);
    expect(checkHistory(history.map(spread)).failures).toEqual([]);
  };
  await fc.assert(fc.asyncProperty(steps, accepted), { numRuns: 150 });
});

/** The same, with another observation; undefined for what observes nothing. */
function altered(operation: Operation): Operation | undefined {
  if (operation.do === 'find' && operation.session !== undefined) return { ...operation, found: !operation.found };
  if (operation.do === 'hold') return { ...operation, token: 'another' };
  if (operation.outcome !== 'done') return undefined;
  if (operation.do === 'read') return { ...operation, version: operation.version + 1 };
  if (operation.do === 'take') return { ...operation, value: `not ${operation.value}` };
  return undefined;
}

test('with one observation altered it is rejected', async () => {
  let rejected = 0;
  const isRejected = async (all: Step[], nth: number) => {
    const history = onePerMoment(await run(all)).map(({ operation }) => operation);
    const observations = history.filter((each) => altered(each) !== undefined);
    const chosen = observations[nth % observations.length];
    if (chosen === undefined) return;
    const bad = history.map((each) => (each === chosen ? (altered(each) as Operation) : each));
    expect(checkHistory(bad).failures).not.toEqual([]);
    rejected++;
  };
  await fc.assert(fc.asyncProperty(steps, fc.nat(1000), isRejected), { numRuns: 150 });
  expect(rejected).toBeGreaterThan(100);
});

// ------------------------------------------------------------ what trying every order says

const n = fc.nat(1);
const act = fc.oneof(
  n.map((value) => s.set({ n: value })),
  n.map((value) => s.unknown(s.set({ n: value }))),
  fc.record({ value: n, version: fc.nat(2) }).map(({ value, version }) => s.replace({ n: value }, version)),
  fc.record({ value: n, version: fc.nat(3) }).map(({ value, version }) => s.read(version, { n: value })),
  n.map((value) => s.took('n', value)),
  fc.constantFrom(s.close, s.unknown(s.close), s.found('t1'), s.missed('t1'), s.found('t2'), s.held('t2')),
  fc.constantFrom(s.closeAll(), s.closeAll('ann'), s.unknown(s.closeAll('ann'))),
  fc.constantFrom(s.rotate('t1', 't2'), s.unknown(s.rotate('t1', undefined)), s.login('ann', 't2')),
  fc.constant(s.refused('ERR_SESSION_ENDED', s.set({ n: 0 }))),
);
const entangled = fc
  .array(fc.record({ act, call: fc.nat(8), lasts: fc.nat(4) }), { minLength: 3, maxLength: 6 })
  .map((all): Operation[] => [
    ...s.script(s.by('A', s.created('t1', { n: 0 }))),
    ...all.map(({ act, call, lasts }): Operation => {
      const returns = act.outcome === 'unknown' ? Number.POSITIVE_INFINITY : 1000 + (call + lasts) * 10 + 5;
      return { outcome: 'done', ...act, thread: 'B', session: 's', call: 1000 + call * 10, return: returns };
    }),
  ]);

/** By the definition: some of the optional ones, in some order that keeps what was over before another began. */
function hasOrder(state: SessionState, left: readonly Prepared[], until: number): boolean {
  const required = left.filter(({ operation }) => operation.return <= until && operation.outcome !== 'unknown');
  if (required.length === 0) return true;
  const may = left.filter(({ operation: { call } }) => required.every(({ operation }) => operation.return >= call));
  return may.some((next) => {
    const rest = left.filter((each) => each !== next);
    return sessionModel.step(state, next).some((after) => hasOrder(after, rest, until));
  });
}

test('of small histories, the search says what trying every order says, and the shortest beginning is the shortest', () => {
  const verdicts = { accepted: 0, rejected: 0 };
  fc.assert(
    fc.property(entangled, (history) => {
      const prepared = prepare(history);
      const returns = history.map((each) => each.return).filter(Number.isFinite);
      const orders = (until: number) =>
        hasOrder(
          sessionModel.initial,
          prepared.filter(({ operation }) => operation.call <= until),
          until,
        );
      const ends = returns.sort((a, b) => a - b);
      const first = ends.find((until) => !orders(until));
      const [failure] = checkHistory(history).failures;
      verdicts[first === undefined ? 'accepted' : 'rejected']++;
      const answers = ends.filter((end) => end <= (first as number)).length;
      if (first === undefined) expect(failure).toBeUndefined();
      else
        expect(failure).toContain(`no order explains its first ${answers} answers (of ${history.length} operations)`);
    }),
    { numRuns: 4000 },
  );
  expect(Math.min(verdicts.accepted, verdicts.rejected)).toBeGreaterThan(300);
});
