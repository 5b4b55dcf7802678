/** Many sessions whose time is over at one moment: they are ended a few at a time, and nobody else waits for it. */

import { expect, onTestFinished, test } from 'vitest';
import type { SessionEvents } from '../../dist/src/index.js';
import { BareRules, few } from '../contract/bare-rules.js';
import { overPort, overThread } from '../contract/hosts.js';
import { digestOf, drawToken, STEP, Sweeper, Turns, UNITS } from '../support/internals.js';

function rulesWith(count: number): BareRules {
  const rules = new BareRules({ ...few, maxSessions: count, maxBytes: 2 ** 20 });
  for (let n = 0; n < count; n++) rules.made(digestOf(drawToken()), { idle: 10 });
  rules.time += 10;
  return rules;
}

test('a sweep at its time goes in steps, each with a beat and a turn of the event loop behind it', async () => {
  const rules = rulesWith(10_500);
  const steps: (() => void)[] = [];
  const fail = (error: unknown) => {
    throw error;
  };
  const turns = new Turns(rules.table.pace, fail, (step) => void steps.push(step));
  const sweeper = new Sweeper('0 0 0 29 2 *', rules.endings, turns, { flush() {} } as never);
  onTestFinished(() => sweeper.stop());
  const swept = sweeper.sweep();
  const live = [10_500, rules.sessions.live];
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    step();
    live.push(rules.sessions.live);
  }
  await swept;
  const ended = live.slice(1).map((left, n) => (live[n] as number) - left);
  expect(Math.max(...ended)).toBeLessThanOrEqual(STEP / (UNITS.end + UNITS.free) + 100);
  expect(ended.length).toBeGreaterThanOrEqual(8);
  expect([rules.sessions.live, rules.sessions.ended.idle]).toEqual([0, 10_500]);
});

test.each([
  ['a port', overPort],
  ['the thread', overThread],
])(
  'over %s, a sweep that is called for lets the calls of others in between, and counts and tells each session once',
  async (_, start) => {
    const { manager, clock } = await start({ maxSessions: 10_000, idleTimeout: '1h' });
    onTestFinished(() => manager.stop());
    const told = new Map<string, number>();
    let missed = 0;
    manager.on('ended', ({ session }: SessionEvents['ended']) => told.set(session.id, (told.get(session.id) ?? 0) + 1));
    manager.on('gap', (gap) => {
      missed += gap.missed;
    });
    const due = await Promise.all(Array.from({ length: 5500 }, () => manager.newSession()));
    clock.advance('30m');
    const seen = await Promise.all(Array.from({ length: 100 }, () => manager.newSession()));
    for (const session of due.slice(0, 500)) session.touch();
    clock.advance('30m');
    let isOver = false;
    const swept = manager.sweep().finally(() => {
      isOver = true;
    });
    const made = await manager.newSession();
    expect([isOver, made.alive]).toEqual([false, true]);
    expect(await swept).toBe(5000);
    expect(await manager.sweep()).toBe(0);
    expect([due.filter(({ alive }) => alive).length, seen.every(({ alive }) => alive)]).toEqual([500, true]);
    expect((await manager.stats()).ended.idle).toBe(5000);
    await new Promise(setImmediate);
    expect([told.size + missed, Math.max(...told.values())]).toEqual([5000, 1]);
  },
);

test('what begins in a table full of such sessions waits for as few of them to be freed as it takes', () => {
  const rules = rulesWith(3000);
  expect(rules.begin(digestOf(drawToken()))).toBeTypeOf('object');
  const { live } = rules.sessions;
  const { idle } = rules.sessions.ended;
  expect(idle).toBeGreaterThan(0);
  expect(idle).toBeLessThanOrEqual(100);
  expect(live).toBe(3001 - idle);
  // Those that are left are swept, and found by nobody meanwhile.
  expect(rules.sweep()).toBe(3000 - idle);
  expect(rules.sessions.live).toBe(1);
});
