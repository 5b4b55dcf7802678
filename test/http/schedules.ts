/**
 * S-03: one request that uses a session while another ends it, step by step in an order that is drawn. The rules run
 * without a thread, the requests without a socket.
 */

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { type Host, overBareRules } from '../contract/hosts.js';
import type { AnySession, Site } from './sites.js';

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
  /** Whether the token is due to be renewed when the requests come. */
  readonly isDue: boolean;
  readonly ending: (typeof endings)[number];
}

const plans: fc.Arbitrary<Plan> = fc.record({
  steps: fc.shuffledSubarray(Object.keys(uses) as (keyof typeof uses)[], { minLength: 1 }),
  isHasty: fc.boolean(),
  isDue: fc.boolean(),
  ending: fc.constantFrom(...endings),
});

/** What really happened. */
export interface Ran {
  readonly schedules: number;
  /** Steps that were refused as the session had ended, and steps that were done. */
  readonly refused: number;
  readonly done: number;
  /** Tokens that were renewed as they were due. */
  readonly renewed: number;
}

export async function cookieOfNew({ manager }: Host, user: string): Promise<string> {
  const session = await manager.newSession({ userId: user, data: { letter: 'private' } });
  return manager.getCookieData(session).value;
}

const settled = (change: Promise<unknown>) => change.catch((error: { code?: string }) => String(error.code));

/** Throws at the first order in which a session outlives its end, or anything is revived. */
export async function endWhileUsed(site: Site, schedules: number, seed?: number): Promise<Ran> {
  const rotation = { every: '15m', grace: '1m' };
  const host = await overBareRules({ cookie: { secure: false }, rotation, idleTimeout: '1h' });
  const { manager, clock } = host;
  let plan: Plan = { steps: [], isHasty: false, isDue: false, ending: 'logout' };
  /** The next await point of a handler. */
  let point = (): Promise<unknown> => Promise.resolve();
  let endedAt: 'not yet' | 'acknowledged' = 'not yet';
  let ran: Ran = { schedules: 0, refused: 0, done: 0, renewed: 0 };

  const running = await site.start(manager, async ({ session, path }) => {
    await point();
    if (path === '/use') {
      // Ended while its token was renewed: this request comes to no session, and would begin one of its own.
      if (plan.isDue && session.id === undefined) return {};
      for (const step of plan.steps) {
        const wasOver = endedAt === 'acknowledged';
        const outcome = settled(uses[step](session));
        if (plan.isHasty) continue;
        const isRefused = (await outcome) === 'ERR_SESSION_ENDED';
        if (step === 'load') continue;
        ran = isRefused ? { ...ran, refused: ran.refused + 1 } : { ...ran, done: ran.done + 1 };
        // What begins after the end was acknowledged is refused.
        if (wasOver) assert.ok(isRefused, `${step} was done after the end`);
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

  try {
    await fc.assert(
      fc.asyncProperty(plans, fc.scheduler(), async (planned, scheduler) => {
        plan = planned;
        endedAt = 'not yet';
        point = () => scheduler.schedule(Promise.resolve());
        const cookie = await cookieOfNew(host, 'ada');
        const ender = plan.ending === 'revoke' ? await cookieOfNew(host, 'ada') : cookie;
        if (plan.isDue) clock.advance('15m');
        const asked = (path: string, value: string) => running.inject(path, { headers: { cookie: `id=${value}` } });
        const answers = Promise.all([asked('/use', cookie), asked('/end', ender)]);
        await scheduler.waitFor(answers);
        const [used, ended] = await answers;
        assert.deepEqual([used.status, ended.status], [200, 200]);

        const given = used.headers.getSetCookie().map((set) => /^id=([^;]*)/.exec(set)?.[1] ?? '');
        for (const value of [cookie, ...given]) assert.equal(manager.getSession(value), undefined);
        // Only whoever revoked is still there.
        const left: unknown[] = [];
        for await (const { id } of manager.getAllSessions()) left.push(id);
        assert.equal(left.length, plan.ending === 'revoke' ? 1 : 0);
        await manager.closeAllSessions();
        ran = { ...ran, schedules: ran.schedules + 1, renewed: ran.renewed + (plan.isDue ? 1 : 0) };
      }),
      { numRuns: schedules, endOnFailure: true, ...(seed === undefined ? {} : { seed }) },
    );
  } finally {
    await running.close();
    await manager.stop();
  }
  return ran;
}
