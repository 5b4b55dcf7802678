/** Tokens that are renewed mid-session, on a site that several threads serve. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { fixture } from '../threads.js';

const name = 'renewed by threads';

test('of requests that come to two threads at once with a token that is due, all are given the same new one', async () => {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const rotation = { every: '15m', grace: '1m' };
  const manager = await startSessionManager({ name, clock, rotation, idleTimeout: '1h', cookie: { secure: false } });
  const workers = [0, 1].map(() => new Worker(fixture('serves-over-http'), { workerData: name }));
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await manager.stop();
  });
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number));
  const ask = async (at: number, path: string, cookie?: string) => {
    const headers: Record<string, string> = cookie === undefined ? {} : { cookie };
    const response = await fetch(`http://127.0.0.1:${ports[at % 2]}${path}`, { headers });
    const given = response.headers.getSetCookie().map((set) => set.slice(0, set.indexOf(';')));
    return { given, body: await response.text() };
  };
  let cookie = (await ask(0, '/login?as=ada')).given[0] as string;
  let rotated = 0;
  manager.on('token-rotated', () => rotated++);
  const rounds = 20;
  for (let round = 1; round <= rounds; round++) {
    clock.advance('15m');
    const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => ask(at, '/', cookie)));
    const given = new Set(answers.flatMap((answer) => answer.given));
    expect([given.size, answers.filter((answer) => answer.given.length === 1).length]).toEqual([1, 10]);
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['["ada",{"secret":"of ada"}]']));
    await manager.stats();
    expect(rotated).toBe(round);
    const fresh = [...given][0] as string;
    expect(fresh).not.toBe(cookie);
    // Its answer was lost, and it asks the other thread.
    expect((await ask(round, '/', cookie)).given).toEqual([fresh]);
    cookie = fresh;
  }
});
