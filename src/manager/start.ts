/**
 * Starting a manager: reserves the table, has a supervisor start the thread that owns it, and greets that thread. Runs
 * in the thread that starts the manager.
 */

import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { type ConnectionMemory, reserveConnectionMemory } from '../calls/link.js';
import { type ResolvedOptions, resolveOptions } from '../options/options.js';
import { settingsOf } from '../options/settings.js';
import { type ClockMemory, monotonic, reserveClock } from '../protocol/clock.js';
import { SessionError } from '../protocol/errors.js';
import { HEADER, LAYOUT_VERSION, reserveTable, shapeFor, type TableMemory } from '../protocol/layout.js';
import { errorFrom } from '../protocol/thread-error.js';
import type { ManagerFollower } from '../threads/membership.js';
import { warnOfOtherProcesses } from '../threads/processes.js';
import { forget, managerHere, register } from '../threads/registry.js';
import { Supervisor, type SupervisorOptions } from '../threads/supervisor.js';
import { findTicket, isOver, type JoinTicket, publishTicket, withdrawTicket } from '../threads/ticket.js';
import type { ManagerOptions, SessionData, SessionManager } from '../types/types.js';
import { ManagerClient } from './client.js';
import { isManualClock, memoryOf } from './manual-clock.js';

/**
 * The URL of the manager's module. Evaluated only if the option `worker` is absent: in a bundle, `import.meta.url` may
 * be missing.
 */
const besideThis = () => new URL('../../worker/main.js', import.meta.url);

/**
 * Starts the one thread that owns the session table, and resolves to this thread's proxy to it. The manager lives until
 * `stop` is called or the calling thread ends. Rejects with ERR_INVALID_OPTION before a thread is started, with
 * ERR_NAME_IN_USE, or with ERR_MANAGER_FAILED, whose `cause` says why the thread did not come up.
 */
export async function startSessionManager<D extends SessionData = Record<string, unknown>>(
  options?: ManagerOptions<D>,
): Promise<SessionManager<D>> {
  const resolved = resolveOptions(options, isManualClock);
  const { name, schema } = resolved;
  const inherited = findTicket(name);
  if (managerHere(name) !== undefined || (inherited !== undefined && !isOver(inherited))) {
    throw new SessionError('ERR_NAME_IN_USE');
  }
  warnOfOtherProcesses();
  let ticket: JoinTicket | undefined;
  const manager: Promise<ManagerClient> = start(
    resolved,
    () => forget(manager as never),
    (made) => {
      ticket = made;
    },
  );
  return register(name, { manager: manager as never, schema, ticket }) as unknown as Promise<SessionManager<D>>;
}

async function start(
  options: ResolvedOptions,
  forgotten: () => void,
  published: (ticket: JoinTicket) => void,
): Promise<ManagerClient> {
  const memory = reserve(options);
  const clock = options.clock === undefined ? wallClock() : memoryOf(options.clock);
  const worker = options.worker ?? startable(besideThis);
  const supervisor = new Supervisor({
    startup: startupOf(options, memory, clock),
    worker,
    name: options.name,
    callTimeout: options.callTimeout,
    restarts: options.restarts,
    resourceLimits: options.resourceLimits,
  });
  const ownMemory = reserveConnectionMemory();
  const { follow, first } = addThisThread(supervisor, ownMemory, memory);
  startable(() => supervisor.start(), worker);
  const ticket: JoinTicket = {
    coatcheck: LAYOUT_VERSION,
    name: options.name,
    threadId: supervisor.threadId,
    callTimeout: options.callTimeout,
    restarts: options.restarts.most > 0,
    memory,
    clock,
  };
  published(Object.freeze(ticket));
  const forgetAll = () => {
    if (findTicket(options.name)?.threadId === ticket.threadId) withdrawTicket(options.name);
    forgotten();
  };
  try {
    const manager = await ManagerClient.greet(first(), {
      ticket,
      schema: options.schema,
      ended: () => supervisor.end(),
      forget: forgetAll,
      memory: ownMemory,
      restarts: ticket.restarts,
      follow,
      portClosed: () => supervisor.portClosed(),
    });
    publishTicket(ticket);
    return manager;
  } catch (error) {
    // Read before `abort`, which ends the thread with an exit code of its own.
    const known = supervisor.cause ?? (isPortClosed(error) ? undefined : error);
    await supervisor.abort();
    throw notStarted(known ?? supervisor.cause ?? error, worker);
  }
}

/** Whether an error says only that the port closed. Why it closed is known to the supervisor. */
function isPortClosed(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'ERR_MANAGER_FAILED';
}

/**
 * Adds this thread to those that the supervisor tells of restarts. It is told by a function call, as the supervisor
 * runs in this thread. `first` returns the port to the first manager, which arrives before a follower is set.
 */
function addThisThread(supervisor: Supervisor, ownMemory: ConnectionMemory, table: TableMemory) {
  let port: MessagePort | undefined;
  let follower: ManagerFollower | undefined;
  const header = new Int32Array(table.header);
  supervisor.add({
    number: Atomics.add(header, HEADER.connections, 1) + 1,
    ...ownMemory,
    reconnect: (next) => {
      port = next;
      follower?.reconnect(next);
    },
    restarted: (why, restarts, recovered) => follower?.restarted({ cause: errorFrom(why), restarts, recovered }),
    managerEnded: () => follower?.managerEnded(),
  });
  return {
    first: () => port as MessagePort,
    follow: (given: ManagerFollower) => {
      follower = given;
    },
  };
}

function reserve(options: ResolvedOptions): TableMemory {
  const shape = shapeFor(options);
  try {
    return reserveTable(shape, [randomInt(2 ** 32), randomInt(2 ** 32)]);
  } catch (cause) {
    const text = 'This machine cannot reserve so much address space: lower `maxSessions` or `maxBytes`';
    throw new SessionError('ERR_INVALID_OPTION', text, { cause });
  }
}

function startupOf(options: ResolvedOptions, memory: TableMemory, clock: ClockMemory): SupervisorOptions['startup'] {
  const { maxBytes, maxSessionBytes, maxSessionsPerUser, whenOverLimit, whenFull, whenReused, sweep } = options;
  return {
    layoutVersion: LAYOUT_VERSION,
    memory,
    clock,
    manualClock: options.clock !== undefined,
    maxBytes,
    maxSessionBytes,
    maxSessionsPerUser,
    whenOverLimit,
    whenFull,
    whenReused,
    sweep,
    settings: settingsOf(options),
  };
}

function wallClock(): ClockMemory {
  return reserveClock(Date.now() - monotonic()(), false);
}

/** The result of `step`, which starts something. Throws ERR_MANAGER_FAILED if it throws. */
function startable<T>(step: () => T, worker?: URL): T {
  try {
    return step();
  } catch (cause) {
    throw notStarted(cause, worker);
  }
}

/** The error for a thread that did not come up. `worker` is undefined if its URL is not known. */
function notStarted(cause: unknown, worker: URL | undefined): SessionError {
  const isMissing = worker === undefined || (worker.protocol === 'file:' && !existsSync(worker));
  const why = isMissing
    ? ': its file, `worker/main.js`, is not there. If this is a bundle, see docs/bundlers.md of coatcheck'
    : '';
  return new SessionError('ERR_MANAGER_FAILED', `The session manager thread could not be started${why}`, { cause });
}
