/** Starting a manager: reserves the table, spawns the thread that owns it, and watches over that thread. Runs in the thread that calls it. */

import { randomInt } from 'node:crypto';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { findInvitation, type Invitation, isOver, publishInvitation, withdrawInvitation } from './invitation.js';
import { Manager } from './manager.js';
import { isManualClock, memoryOf } from './manual-clock.js';
import { type ResolvedOptions, resolveOptions } from './options.js';
import { type ClockMemory, monotonic, reserveClock } from './protocol/clock.js';
import { SessionError } from './protocol/errors.js';
import { HEADER, LAYOUT_VERSION, reserveTable, STATUS, shapeFor, type TableMemory } from './protocol/layout.js';
import type { ManagerStartup } from './protocol/startup.js';
import { forget, managerHere, register } from './registry.js';
import { settingsOf } from './settings.js';
import type { ManagerOptions, SessionData, SessionManager } from './types.js';

/** Where the manager's thread begins: the one place that knows. */
const WORKER = new URL('../worker/main.js', import.meta.url);
/** How long a thread may take to start, in milliseconds; a call's timeout where that is longer. */
const START_TIMEOUT = 10_000;

/**
 * Starts the one thread that owns the session table, and returns this thread's proxy to it. It lives as long as the thread that called, or until `stop`.
 * Rejects with ERR_INVALID_OPTION before any thread is started, with ERR_NAME_IN_USE, or with ERR_MANAGER_FAILED and the cause.
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
  const header = new Int32Array(memory.header);
  header[HEADER.ownerEpoch] = 1;
  const { port1, port2 } = new MessageChannel();
  const worker = spawn(options, startupOf(options, memory, clock), port2);
  worker.unref();

  let cause: unknown;
  worker.on('error', (error) => {
    cause = error;
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      if (Atomics.load(header, HEADER.status) !== STATUS.stopped) Atomics.store(header, HEADER.status, STATUS.failed);
      port1.close();
      resolve();
    });
  });

  const invitation: Invitation = {
    coatcheck: LAYOUT_VERSION,
    name: options.name,
    threadId: worker.threadId,
    callTimeout: options.callTimeout,
    memory,
    clock,
  };
  invited(Object.freeze(invitation));
  const forgetAll = () => {
    if (findInvitation(options.name)?.threadId === invitation.threadId) withdrawInvitation(options.name);
    forgotten();
  };
  const ended = async () => {
    // A manager that does not end by itself is ended: whoever asked for the end shall not wait for ever.
    const patience = setTimeout(() => void worker.terminate(), options.callTimeout);
    worker.ref();
    await exited;
    clearTimeout(patience);
    Atomics.store(header, HEADER.status, STATUS.stopped);
  };
  const timeout = Math.max(START_TIMEOUT, options.callTimeout);
  const slow = setTimeout(() => void worker.terminate(), timeout);
  try {
    const membership = { invitation, schema: options.schema, ended, forget: forgetAll };
    const manager = await Manager.greet(port1, membership);
    publishInvitation(invitation);
    return manager;
  } catch (error) {
    await worker.terminate();
    await exited;
    throw new SessionError('ERR_MANAGER_FAILED', 'The session manager thread could not be started', {
      cause: cause ?? error,
    });
  } finally {
    clearTimeout(slow);
  }
}

function spawn(options: ResolvedOptions, startup: ManagerStartup, port: MessagePort): Worker {
  try {
    return new Worker(options.worker ?? WORKER, {
      name: `coatcheck ${options.name}`,
      workerData: { ...startup, port },
      transferList: [port],
      // What the host preloads is for the host's own threads.
      execArgv: [],
      ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
    });
  } catch (cause) {
    throw new SessionError('ERR_MANAGER_FAILED', 'The session manager thread could not be started', { cause });
  }
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

function startupOf(options: ResolvedOptions, memory: TableMemory, clock: ClockMemory): ManagerStartup {
  const { maxBytes, maxSessionBytes, maxSessionsPerUser, whenOverLimit, whenFull, sweep } = options;
  return {
    layoutVersion: LAYOUT_VERSION,
    memory,
    clock,
    manualClock: options.clock !== undefined,
    ownerEpoch: 1,
    maxBytes,
    maxSessionBytes,
    maxSessionsPerUser,
    whenOverLimit,
    whenFull,
    sweep,
    settings: settingsOf(options),
  };
}

function wallClock(): ClockMemory {
  return reserveClock(Date.now() - monotonic()(), false);
}
