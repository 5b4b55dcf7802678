/** Starts the parts of the demo in order, and ends them in reverse. Runs in the main thread. */

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { type ManagerOptions, startSessionManager } from '../../index.js';
import { codeOf, Failure } from '../failure.js';
import { createFront } from './front.js';
import { LiveSockets } from './live-sockets.js';
import type { PageTask } from './page-worker.js';
import { COOKIE, rooms, type Visits } from './visits.js';

const ADDRESS = '127.0.0.1';
/** Milliseconds that pending answers get to finish when the demo ends. */
const LAST_ANSWERS = 2000;

export interface Demo {
  readonly url: string;
  readonly poolThreads: number;
  /** Resolves when all threads have ended. May be called repeatedly. */
  stop(): Promise<void>;
}

/** `clock` is for tests. */
export async function startDemo(port: number, options: Pick<ManagerOptions, 'clock'> = {}): Promise<Demo> {
  const manager = await startSessionManager<Visits>({
    ...options,
    // Plain HTTP. The cookie ends with the browser, so it does not have to be sent again.
    cookie: { name: COOKIE, secure: false, persistent: false },
    maxSessions: 100_000,
    maxBytes: 64 * 2 ** 20,
    maxSessionsPerUser: 50,
  });
  const poolThreads = Math.max(2, Math.min(4, availableParallelism()));
  const pool = new Piscina<PageTask, string | undefined>({
    filename: new URL('page-worker.js', import.meta.url).href,
    name: 'renderPage',
    minThreads: poolThreads,
    maxThreads: poolThreads,
    loadBalancer: inTurn(),
  });
  const server = createFront(manager, pool);
  const sockets = new LiveSockets(manager, server);
  const end = async () => {
    await close(server, sockets);
    await pool.destroy();
    await manager.stop();
  };
  let ending: Promise<void> | undefined;
  const stop = () => {
    ending ??= end();
    return ending;
  };
  try {
    await Promise.all(
      Array.from({ length: poolThreads }, () =>
        pool.run({ room: rooms[0]?.name ?? '', cookie: undefined, csrf: undefined, counts: false }),
      ),
    );
    const url = await listen(server, port);
    return { url, poolThreads, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Selects the idle threads one after the other, so that a single visitor meets all of them. */
function inTurn(): NonNullable<NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']> {
  let last = -1;
  return (_task, workers) => {
    const idle = workers.filter(({ currentUsage }) => currentUsage === 0).sort((a, b) => a.id - b.id);
    const next = idle.find(({ id }) => id > last) ?? idle[0] ?? null;
    if (next !== null) last = next.id;
    return next;
  };
}

function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Failure(listenFailure(error, port), { cause: error })));
    server.listen(port, ADDRESS, () => {
      const { port: taken } = server.address() as AddressInfo;
      resolve(`http://${ADDRESS}:${taken}/`);
    });
  });
}

function listenFailure(error: Error, port: number): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `port ${port} is in use; choose another with --port, or --port 0 for a free one`;
    case 'EACCES':
      return `port ${port} may not be used by this user; choose another with --port`;
    default:
      return `cannot listen at ${ADDRESS}:${port}: ${error.message}`;
  }
}

/** Accepts no more connections, lets pending answers finish for a while, and then closes the rest. */
function close(server: Server, sockets: LiveSockets): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      server.closeAllConnections();
      sockets.terminate();
    }, LAST_ANSWERS);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
    sockets.close();
  });
}
