/**
 * Starting a manager: reserves the table, has a supervisor start the thread that owns it, and greets that thread. Runs
 * in the thread that calls it.
 */

import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { type Line, reserveLine } from '../calls/link.js';
import { type ResolvedOptions, resolveOptions } from '../options/options.js';
import { settingsOf } from '../options/settings.js';
import { type ClockMemory, monotonic, reserveClock } from '../protocol/clock.js';
import { SessionError } from '../protocol/errors.js';
import { HEADER, LAYOUT_VERSION, reserveTable, shapeFor, type TableMemory } from '../protocol/layout.js';
import { errorFrom } from '../protocol/thread-error.js';
import type { Follower } from '../threads/membership.js';
import { warnOfOtherProcesses } from '../threads/processes.js';
import { forget, managerHere, register } from '../threads/registry.js';
import { type Post, Supervisor } from '../threads/supervisor.js';
import { findInvitation, type Invitation, isOver, publishInvitation, withdrawInvitation } from '../threads/ticket.js';
import type { ManagerOptions, SessionData, SessionManager } from '../types/types.js';
import { Manager } from './client.js';
import { isManualClock, memoryOf } from './manual-clock.js';

/**
 * Where the manager's thread begins: the one place that knows. Not asked for where a bundle, which may not know where
 * it lies, names another.
 */
const besideThis = () => new URL('../../worker/main.js', import.meta.url);

/**
 * Starts the one thread that owns the session table, and returns this thread's proxy to it. It lives as long as the
 * thread that called, or until `stop`. Rejects with ERR_INVALID_OPTION before any thread is started, with
 * ERR_NAME_IN_USE, or with ERR_MANAGER_FAILED and the cause.
 */
export async function startSessionManager<D extends SessionData = Record<string, unknown>>(
  options?: ManagerOptions<D>,
): Promise<SessionManager<D>> {
  const resolved = resolveOptions(options, isManualClock);
  const { name, schema } = resolved;
  const inherited = findInvitation(name);
  if (managerHere(name) !== undefined || (inherited !== undefined && !isOver(inherited))) {
    throw new SessionError('ERR_NAME_IN_USE');
  }
  warnOfOtherProcesses();
  let invitation: Invitation | undefined;
  const manager: Promise<Manager> = start(
    resolved,
    () => forget(manager as never),
    (made) => {
      invitation = made;
    },
  );
  return register(name, { manager: manager as never, schema, invitation }) as unknown as Promise<SessionManager<D>>;
}

async function start(
  options: ResolvedOptions,
  forgotten: () => void,
  invited: (invitation: Invitation) => void,
): Promise<Manager> {
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
  const line = reserveLine();
  const { follow, first } = enterThisThread(supervisor, line, memory);
  startable(() => supervisor.start(), worker);
  const invitation: Invitation = {
    coatcheck: LAYOUT_VERSION,
    name: options.name,
    threadId: supervisor.threadId,
    callTimeout: options.callTimeout,
    restarts: options.restarts.most > 0,
    memory,
    clock,
  };
  invited(Object.freeze(invitation));
  const forgetAll = () => {
    if (findInvitation(options.name)?.threadId === invitation.threadId) withdrawInvitation(options.name);
    forgotten();
  };
  try {
    const manager = await Manager.greet(first(), {
      invitation,
      schema: options.schema,
      ended: () => supervisor.end(),
      forget: forgetAll,
      line,
      restarts: invitation.restarts,
      follow,
      cutOff: () => supervisor.cutOff(),
    });
    publishInvitation(invitation);
    return manager;
  } catch (error) {
    // What is known before the thread is ended from here, as that gives it an exit code of its own.
    const known = supervisor.cause ?? (isPortClosed(error) ? undefined : error);
    await supervisor.abort();
    throw notStarted(known ?? supervisor.cause ?? error, worker);
  }
}

/** Whether an error says only that the port to the manager closed: its thread died, of what that thread says. */
function isPortClosed(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'ERR_MANAGER_FAILED';
}

/** Makes this thread the first that the supervisor tells of restarts: without a port, as it lives here itself. */
function enterThisThread(supervisor: Supervisor, line: Line, memory: TableMemory) {
  let port: MessagePort | undefined;
  let follower: Follower | undefined;
  const header = new Int32Array(memory.header);
  supervisor.enter({
    number: Atomics.add(header, HEADER.connections, 1) + 1,
    ...line,
    renew: (renewed) => {
      port = renewed;
      follower?.renew(renewed);
    },
    restarted: (why, restarts, recovered) => follower?.restarted({ cause: errorFrom(why), restarts, recovered }),
    over: () => follower?.over(),
  });
  return {
    first: () => port as MessagePort,
    follow: (made: Follower) => {
      follower = made;
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

function startupOf(options: ResolvedOptions, memory: TableMemory, clock: ClockMemory): Post['startup'] {
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

/** What a step towards the first manager comes to. Throws ERR_MANAGER_FAILED. */
function startable<T>(step: () => T, worker?: URL): T {
  try {
    return step();
  } catch (cause) {
    throw notStarted(cause, worker);
  }
}

/** The refusal where no thread came up. `worker`: undefined where it is not known where its file would lie. */
function notStarted(cause: unknown, worker: URL | undefined): SessionError {
  const isMissing = worker === undefined || (worker.protocol === 'file:' && !existsSync(worker));
  const why = isMissing
    ? ': its file, `worker/main.js`, is not there. If this is a bundle, see docs/bundlers.md of coatcheck'
    : '';
  return new SessionError('ERR_MANAGER_FAILED', `The session manager thread could not be started${why}`, { cause });
}
