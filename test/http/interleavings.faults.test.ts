/** Requests of one session at a time, step by step in every order. More of them: `npm run torture -- --http`. */

import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { overBareRules } from '../contract/hosts.js';
import { cookieOfNew, endWhileUsed } from './schedules.js';
import { sites } from './sites.js';

const RUNS = 2000;

describe.each(sites.map((site) => [site.name, site] as const))('over %s', (_, site) => {
  test(`S-03 whatever a request does while its session is ended, nothing revives: ${RUNS} schedules`, async () => {
    const { schedules, refused, done, renewed } = await endWhileUsed(site, RUNS);
    expect(schedules).toBe(RUNS);
    // It was met on both sides of the end, and with tokens that were due and such as were not.
    for (const count of [refused, done, renewed, RUNS - renewed]) expect(count).toBeGreaterThan(RUNS / 100);
  });

  test('what two requests store under different keys is all there, in every order', async () => {
    const host = await overBareRules({ cookie: { secure: false } });
    let point = (): Promise<unknown> => Promise.resolve();
    const running = await site.start(host.manager, async ({ session, path }) => {
      for (const step of [1, 2]) {
        await point();
        if (step === 1) await session.set({ [path]: step });
        else await session.update((data) => ({ ...data, [`${path}!`]: step }));
      }
      return {};
    });
    onTestFinished(async () => {
      await running.close();
      await host.manager.stop();
    });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        point = () => scheduler.schedule(Promise.resolve());
        const cookie = await cookieOfNew(host, 'ada');
        const answers = Promise.all(
          ['/a', '/b'].map((path) => running.inject(path, { headers: { cookie: `id=${cookie}` } })),
        );
        await scheduler.waitFor(answers);
        const { letter: _letter, ...data } = host.manager.getSession(cookie)?.data ?? {};
        expect(data).toEqual({ '/a': 1, '/a!': 2, '/b': 1, '/b!': 2 });
        await host.manager.closeAllSessions();
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });
});
