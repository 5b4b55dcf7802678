/**
 * Whatever calls one thread makes in one tick, and however long each check takes: they come to what they would come to
 * one after the other.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Session, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { atMostOne, type Checked, type Data, schemaOf } from '../support/schemas.js';

type Step =
  | { do: 'set' | 'replace' | 'login' | 'put'; on: number; data: Data }
  | { do: 'take'; on: number; key: string }
  | { do: 'close'; on: number }
  | { do: 'closeAll' }
  | { do: 'new'; data: Data };

const SESSIONS = 3;
const on = fc.nat(SESSIONS - 1);
const value = fc.constantFrom(0, 1, undefined);
const patch = fc.record({ a: value, b: value, c: fc.constantFrom(0, 1) }, { requiredKeys: [] });
const data = fc.record({ a: fc.constantFrom(0, 1), b: fc.constantFrom(0, 1) }, { requiredKeys: [] });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('set', 'login'), on, data: patch }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('replace'), on, data }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take'), on, key: fc.constantFrom('a', 'b', 'c') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('new'), data }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('put'), on, data }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('closeAll') }) },
) as fc.Arbitrary<Step>;

/** Data as it would be if the calls were made one by one: what each comes to. */
class Model {
  readonly sessions: (Data | undefined)[] = [];
  made = 0;

  do(step: Step): unknown {
    switch (step.do) {
      case 'new':
        if (isRefused(step.data)) return 'ERR_INVALID_DATA';
        this.made++;
        return 'done';
      case 'closeAll': {
        const count = this.made + this.sessions.filter((each) => each !== undefined).length;
        this.sessions.fill(undefined);
        this.made = 0;
        return count;
      }
      default:
        return this.#doTo(step);
    }
  }

  #doTo(step: Extract<Step, { on: number }>): unknown {
    const now = this.sessions[step.on];
    if (step.do === 'close') {
      this.sessions[step.on] = undefined;
      return 'done';
    }
    if (step.do === 'replace' || step.do === 'put') {
      if (isRefused(step.data)) return 'ERR_INVALID_DATA';
      if (now === undefined) return 'ERR_SESSION_ENDED';
      this.sessions[step.on] = { ...step.data };
      return 'done';
    }
    if (now === undefined) return 'ERR_SESSION_ENDED';
    const changes = step.do === 'take' ? { [step.key]: undefined } : step.data;
    const next = Object.fromEntries(Object.entries({ ...now, ...changes }).filter(([, each]) => each !== undefined));
    if (isRefused(next)) return 'ERR_INVALID_DATA';
    this.sessions[step.on] = next;
    return step.do === 'take' ? now[step.key] : 'done';
  }
}

const isRefused = (whole: Data): boolean => atMostOne(whole).issues !== undefined;

/** How long the next checks take: 0 at once, otherwise which of those that wait comes next. */
let pace: () => number = () => 0;
const waiting: (() => void)[] = [];
const schema = schemaOf((whole) => {
  if (pace() === 0) return atMostOne(whole);
  return new Promise<Checked>((settle) => waiting.push(() => settle(atMostOne(whole))));
});

let manager: SessionManager;
beforeAll(async () => {
  manager = await startSessionManager({ maxSessions: 1000, maxBytes: 4_000_000, schema });
});
afterAll(() => manager.stop());

let keys = 0;

function make(sessions: readonly Session[], key: string, step: Step): Promise<unknown> {
  switch (step.do) {
    case 'new':
      return manager.newSession({ data: step.data });
    case 'closeAll':
      return manager.closeAllSessions();
    case 'put':
      return manager.putSession(`${key} ${step.on}`, { data: step.data });
    default: {
      const session = sessions[step.on] as Session;
      if (step.do === 'set') return session.set(step.data);
      if (step.do === 'login') return session.login('ada', step.data);
      if (step.do === 'replace') return session.replace(step.data);
      return step.do === 'take' ? session.take(step.key) : session.close();
    }
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('calls of one tick come to what they come to one by one, whichever of their checks are quick', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.infiniteStream(fc.nat(3)), async (drawn, paces) => {
      pace = () => 0;
      await manager.closeAllSessions();
      const key = `key ${++keys}`;
      const sessions = await Promise.all([
        manager.putSession(`${key} 0`, { data: { a: 1 } }),
        ...Array.from({ length: SESSIONS - 1 }, () => manager.newSession({ data: { a: 1 } })),
      ]);
      const model = new Model();
      model.sessions.push(...sessions.map((session) => ({ ...session.data })));
      // Only the first lies under a key, and only the others can log in.
      const steps = drawn.map((each) => {
        if (each.do === 'put') return { ...each, on: 0 };
        return each.do === 'login' && each.on === 0 ? { ...each, do: 'set' as const } : each;
      });
      const expected = steps.map((each) => model.do(each));
      pace = () => paces.next().value as number;
      let isOver = false;
      const calls = Promise.all(
        steps.map((each) =>
          make(sessions, key, each).then(
            (answer) => (typeof answer === 'number' || each.do === 'take' ? answer : 'done'),
            // Put, and closed by a later call before this thread has looked.
            ({ code, outcome }) => (outcome === 'applied' ? 'done' : code),
          ),
        ),
      ).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        if (waiting.length > 0) waiting.splice(pace() % waiting.length, 1)[0]?.();
        await turn();
      }
      expect(await calls).toEqual(expected);
      expect(sessions.map((session) => (session.alive ? session.data : undefined))).toEqual(model.sessions);
    }),
    { numRuns: 300 },
  );
});
