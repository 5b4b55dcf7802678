/** S-03: one request that uses a session while another ends it, step by step in every order. The rules run without a thread, the requests without a socket. */

import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Host, overBareRules } from '../hosts.js';
import { type AnySession, sites } from './sites.js';

const RUNS = 2000;

const uses = {
  load: async (session: AnySession) => void [session.userId, session.data, session.id],
  change: (session: AnySession) => session.set({ changed: true }),
  save: (session: AnySession) => session.update((data) => ({ ...data, saved: true })),
  take: (session: AnySession) => session.take('letter'),
  rotate: (session: AnySession) => session.rotate(),
  form: (session: AnySession) => session.csrfToken(),
} satisfies Record<string, (session: AnySession) => Promise<unknown>>;

const endings = ['logout', 'revoke', 'close-all'] as const;

interface Plan {
  readonly steps: readonly (keyof typeof uses)[];
  /** Whether the handler waits for what it does. */
  readonly isHasty: boolean;
  readonly ending: (typeof endings)[number];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  steps: fc.shuffledSubarray(Object.keys(uses) as (keyof typeof uses)[], { minLength: 1 }),
  isHasty: fc.boolean(),
  ending: fc.constantFrom(...endings),
});

async function cookieOfNew({ manager }: Host, user: string): Promise<string> {
  const session = await manager.newSession({ userId: user, data: { letter: 'private' } });
  return manager.getCookieData(session).value;
}

const settled = (change: Promise<unknown>) => change.catch((error: { code?: string }) => String(error.code));

describe.each(sites.map((site) => [site.name, site] as const))('over %s', (_, site) => {
  test(`S-03 whatever a request does while its session is ended, nothing revives: ${RUNS} schedules`, async () => {
    const host = await overBareRules({ cookie: { secure: false } });
    const { manager } = host;
    let plan: Plan = { steps: [], isHasty: false, ending: 'logout' };
    /** The next await point of a handler. */
    let point = (): Promise<unknown> => Promise.resolve();
    let endedAt: 'not yet' | 'acknowledged' = 'not yet';
    const outcomes = new Set<string>();

    const running = await site.start(manager, async ({ session, path }) => {
      await point();
      if (path === '/use') {
        for (const step of plan.steps) {
          const wasOver = endedAt === 'acknowledged';
          const done = settled(uses[step](session));
          if (plan.isHasty) continue;
          const code = await done;
          if (step !== 'load') outcomes.add(String(code === 'ERR_SESSION_ENDED'));
          // What begins after the end was acknowledged is refused.
          if (wasOver && step !== 'load') expect(code).toBe('ERR_SESSION_ENDED');
          await point();
        }
      } else {
        if (plan.ending === 'logout') await session.logout();
        else if (plan.ending === 'revoke') await session.closeOthers();
        else await manager.closeAllSessions({ userId: 'ada' });
        endedAt = 'acknowledged';
        await point();
      }
      return { body: 'done' };
    });
    onTestFinished(async () => {
      await running.close();
      await manager.stop();
    });

    await fc.assert(
      fc.asyncProperty(plans, fc.scheduler(), async (planned, scheduler) => {
        plan = planned;
        endedAt = 'not yet';
        point = () => scheduler.schedule(Promise.resolve());
        const cookie = await cookieOfNew(host, 'ada');
        const ender = plan.ending === 'revoke' ? await cookieOfNew(host, 'ada') : cookie;
        const asked = (path: string, value: string) => running.inject(path, { headers: { cookie: `id=${value}` } });
        const answers = Promise.all([asked('/use', cookie), asked('/end', ender)]);
        await scheduler.waitFor(answers);
        const [used, ended] = await answers;
        expect([used.status, ended.status]).toEqual([200, 200]);

        const given = used.headers.getSetCookie().map((set) => /^id=([^;]*)/.exec(set)?.[1] ?? '');
        for (const value of [cookie, ...given]) expect(manager.getSession(value)).toBeUndefined();
        // Only whoever revoked is still there.
        const left: unknown[] = [];
        for await (const { id } of manager.getAllSessions()) left.push(id);
        expect(left).toHaveLength(plan.ending === 'revoke' ? 1 : 0);
        await manager.closeAllSessions();
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    // It was met on both sides of the end.
    expect([...outcomes].sort()).toEqual(['false', 'true']);
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
