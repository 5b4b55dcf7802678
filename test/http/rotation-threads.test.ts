/** Tokens that are renewed mid-session, on a site that several threads serve. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { fixture } from '../support/threads.js';

const name = 'renewed by threads';

async function startSite() {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  const rotation = { every: '15m', grace: '1m' };
  const manager = await startSessionManager({ name, clock, rotation, idleTimeout: '1h', cookie: { secure: false } });
  const workers = [0, 1].map(() => new Worker(fixture('serves-over-http'), { workerData: name }));
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await manager.stop();
  });
  const ports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as number));
  const ask = async (at: number, path: string, cookie?: string, asked: RequestInit = {}) => {
    const headers: Record<string, string> = {
      ...(asked.headers as object),
      ...(cookie === undefined ? {} : { cookie }),
    };
    const response = await fetch(`http://127.0.0.1:${ports[at % 2]}${path}`, { ...asked, headers });
    const given = response.headers.getSetCookie().map((set) => set.slice(0, set.indexOf(';')));
    return { given, form: response.headers.get('x-form'), status: response.status, body: await response.text() };
  };
  return { ask, clock, manager };
}

test('of requests that come to two threads at once with a token that is due, all are given the same new one', async () => {
  const { ask, clock, manager } = await startSite();
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

test('a form from before the token was renewed counts in a thread that never saw the old token', async () => {
  const { ask, clock } = await startSite();
  const old = (await ask(0, '/login?as=ada')).given[0] as string;
  const { form } = await ask(0, '/form', old);
  clock.advance('15m');
  const [fresh] = (await ask(0, '/', old)).given;
  expect(fresh).not.toBe(old);
  const sent = { method: 'POST', headers: { 'x-csrf-token': form as string } };
  const { status, body } = await ask(1, '/', fresh, sent);
  expect([status, body]).toEqual([200, '["ada",{"secret":"of ada"}]']);
});
