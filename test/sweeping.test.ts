/** Many sessions whose time is over at one moment: they are ended a few at a time, and nobody else waits for it. */

import { expect, onTestFinished, test } from 'vitest';
import type { SessionEvents } from '../dist/src/index.js';
import { digestOf, drawToken } from '../dist/src/tokens.js';
import { Sweeper } from '../dist/worker/sweeper.js';
import { BareRules, few } from './bare-rules.js';
import { overPort, overThread } from './hosts.js';

const SLICE = 1000;

function rulesWith(count: number): BareRules {
  const rules = new BareRules({ ...few, maxSessions: count, maxBytes: 2 ** 20 });
  for (let n = 0; n < count; n++) rules.made(digestOf(drawToken()), { idle: 10 });
  rules.time += 10;
  return rules;
}

test('a sweep at its time ends no more than a thousand between two turns of the event loop', async () => {
  const rules = rulesWith(10_500);
  const slices: number[] = [];
  let turns = 0;
  const alone = (work: () => unknown) => {
    const { live } = rules.sessions;
    const result = work();
    slices.push(live - rules.sessions.live);
    return result;
  };
  const sweeper = new Sweeper('0 0 0 29 2 *', rules.endings, { alone } as never, { flush() {} } as never);
  onTestFinished(() => sweeper.stop());
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await sweeper.sweep();
  isOver = true;
  expect(slices.filter((ended) => ended > 0)).toEqual([...Array(10).fill(SLICE), 500]);
  expect(turns).toBeGreaterThanOrEqual(10);
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
  expect(rules.manager.sweep().ended).toBe(3000 - idle);
  expect(rules.sessions.live).toBe(1);
});
