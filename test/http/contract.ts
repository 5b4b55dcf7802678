/**
 * The contract of the adapters: what a visitor and a handler may rely on, whatever the framework. Real managers, real
 * HTTP; time is moved by hand.
 */

import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import type { HttpOptions } from '../../dist/src/http/express.js';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { bindingContract } from './contract-binding.js';
import { cookieContract } from './contract-cookies.js';
import { endingContract } from './contract-endings.js';
import { guardContract } from './contract-guards.js';
import { habitContract } from './contract-habits.js';
import { lifeContract } from './contract-life.js';
import { rotationContract } from './contract-rotation.js';
import { Browser, type Reply, type Running, type Site, type Visit } from './sites.js';

export const MINUTE = 60_000;

/** By path. A route that answers nothing answers 200. */
export type Routes = Readonly<Record<string, (visit: Visit) => unknown>>;

/** What the parts of the contract are held to. */
export interface Setting {
  readonly site: Site;
  readonly clock: ReturnType<typeof createManualClock>;
  /** Of all tests that ask for no other. Its cookie is named 'id' and not Secure. */
  readonly manager: () => SessionManager;
  /** Of the tests beside which it is called: one that is started before them and stopped after them. */
  readonly shareManager: (options: ManagerOptions) => () => SessionManager;
  /** Starts a manager for one test. */
  readonly startManager: (options: ManagerOptions) => Promise<SessionManager>;
  /** Starts the site for one test. */
  readonly start: (routes: Routes, options?: HttpOptions, manager?: SessionManager) => Promise<Running>;
  /** Starts the site, and gives as many browsers as are asked for. */
  readonly browse: (routes: Routes, options?: HttpOptions) => Promise<() => Browser>;
  /** How many calls reach the manager while this runs. */
  readonly callsDuring: (run: () => Promise<unknown>) => Promise<number>;
  /** The live sessions. */
  readonly live: () => Promise<number>;
}

/** A promise, and how to fulfil it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** In the order in which they build on one another. */
const parts = [
  lifeContract,
  endingContract,
  cookieContract,
  guardContract,
  bindingContract,
  rotationContract,
  habitContract,
];

export function adapterContract(site: Site, held: readonly ((setting: Setting) => void)[] = parts): void {
  const clock = createManualClock(Date.UTC(2030, 0, 1));
  let managers = 0;
  const name = () => `${site.name} ${++managers}`;
  const cookie = { secure: false };

  const shareManager: Setting['shareManager'] = (options) => {
    let shared: SessionManager | undefined;
    beforeAll(async () => {
      shared = await startSessionManager({ name: name(), clock, cookie, ...options });
    });
    afterAll(() => shared?.stop());
    return () => shared as SessionManager;
  };

  const manager = shareManager({});
  const start: Setting['start'] = async (routes, options, of = manager()) => {
    const running = await site.start(
      of,
      async (visit) =>
        ((await routes[visit.path]?.(visit)) as Reply | undefined) ?? { status: visit.path in routes ? 200 : 404 },
      options,
    );
    onTestFinished(() => running.close());
    return running;
  };

  const setting: Setting = {
    site,
    clock,
    manager,
    start,
    shareManager,
    async startManager(options) {
      const started = await startSessionManager({ name: name(), clock, cookie, ...options });
      onTestFinished(() => started.stop());
      return started;
    },
    async browse(routes, options) {
      const running = await start(routes, options);
      return () => new Browser(running);
    },
    async callsDuring(run) {
      const before = (await manager().stats()).calls.count;
      await run();
      // The first of the two counts is a call as well.
      return (await manager().stats()).calls.count - before - 1;
    },
    live: async () => (await manager().stats()).sessions,
  };

  describe(`sessions over ${site.name}`, () => {
    for (const part of held) part(setting);
  });
}
