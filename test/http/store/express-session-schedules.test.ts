/**
 * One request that reads, writes and touches its session while another logs out: in whatever order their steps come to
 * the manager, nothing is revived.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CoatcheckStore, type StoredSession } from '../../../dist/src/http/store/express-session.js';
import type { Session, SessionManager } from '../../../dist/src/index.js';
import { overBareRules } from '../../contract/hosts.js';

const cookie = (maxAge: number) => ({ originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge) });
let ids = 0;

/**
 * A thread's manager: its calls come to the rules when the scheduler lets them. What it reads is memory, and waits for
 * nobody.
 */
function thread(s: fc.Scheduler, manager: SessionManager): SessionManager {
  const calls = ['putSession', 'closeSessionByKey'] as const;
  const slow = Object.fromEntries(
    calls.map((name) => [name, s.scheduleFunction((...args: never[]) => Reflect.apply(manager[name], manager, args))]),
  );
  const slowly = (held: Session | undefined) =>
    held &&
    new Proxy(held, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: never[]) => Promise<unknown>;
        return name === 'setIdleTimeout' ? s.scheduleFunction(method) : method;
      },
    });
  return {
    ...slow,
    getSessionByKey: (...args: Parameters<SessionManager['getSessionByKey']>) =>
      slowly(manager.getSessionByKey(...args)),
  } as SessionManager;
}

/** What a request does to its session, each step when the one before is over. */
const steps = fc.array(fc.constantFrom('get', 'set', 'touch', 'touch for longer'), { minLength: 1, maxLength: 5 });

async function request(store: CoatcheckStore, id: string, wanted: readonly string[], s: fc.Scheduler): Promise<void> {
  const loaded = ((await store.get(id)) ?? { cookie: cookie(60_000) }) as StoredSession;
  for (const step of wanted) {
    await s.schedule(Promise.resolve(), step);
    if (step === 'get') await store.get(id);
    else if (step === 'set') await store.set(id, { ...loaded, n: 1 } as StoredSession);
    else await store.touch(id, { cookie: cookie(step === 'touch' ? 60_000 : 120_000) });
  }
}

test('no order of a request’s steps and a destroy leaves a session, or brings one back', async () => {
  const { manager } = await overBareRules();
  let schedules = 0;
  const run = async (s: fc.Scheduler, first: string[], second: string[], isNew: boolean) => {
    schedules++;
    const id = `id ${++ids}`;
    const plain = new CoatcheckStore({ manager });
    if (!isNew) await plain.set(id, { cookie: cookie(60_000) });
    const [one, two, out] = [0, 1, 2].map(() => new CoatcheckStore({ manager: thread(s, manager) }));
    let isDestroyed = false;
    const look = () => {
      if (isDestroyed) expect(manager.getSessionByKey(id)).toBeUndefined();
    };
    const logout = async () => {
      await s.schedule(Promise.resolve(), 'logout');
      await out?.destroy(id);
      isDestroyed = true;
    };
    const all = Promise.all([
      request(one as CoatcheckStore, id, first, s),
      request(two as CoatcheckStore, id, second, s),
      logout(),
    ]);
    while (s.count() > 0) {
      await s.waitOne();
      look();
      // What the step has led to may be scheduled only some microtasks later.
      for (let n = 0; n < 20; n++) await Promise.resolve();
    }
    await all;
    expect(isDestroyed).toBe(true);
    look();
    await plain.set(id, { cookie: cookie(60_000) });
    look();
  };
  await fc.assert(fc.asyncProperty(fc.scheduler(), steps, steps, fc.boolean(), run), { numRuns: 600 });
  expect(schedules).toBeGreaterThanOrEqual(600);
  await manager.stop();
});
