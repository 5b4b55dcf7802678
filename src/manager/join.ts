/**
 * Joining a running manager: sends it a port through the main thread, and greets it over that port. Runs in the thread
 * that joins.
 */

import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { MessageChannel, type MessagePort, postMessageToThread } from 'node:worker_threads';
import { reserveConnectionMemory } from '../calls/link.js';
import { expected, SessionError } from '../protocol/errors.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import { isPort, isThreadError, type JoinMessage, type SupervisorMessage } from '../protocol/startup.js';
import { errorFrom } from '../protocol/thread-error.js';
import type { ManagerFollower } from '../threads/membership.js';
import { forget, managerHere, register } from '../threads/registry.js';
import {
  checkTicket,
  findTicket,
  isOfOtherBuild,
  isOver,
  type JoinTicket,
  notFound,
  otherBuild,
  publishTicket,
  statusOf,
} from '../threads/ticket.js';
import type { ConnectOptions, SessionData, SessionManager, Ticket } from '../types/types.js';
import { checkConnectOptions } from '../validation/arguments.js';
import { defaults } from '../validation/defaults.js';
import { ManagerClient } from './client.js';

/** Milliseconds between two attempts, and between two looks at who owns the table. */
const RETRY_AFTER = 20;

/**
 * Joins a running manager. `where` is its name (default 'default') or a ticket. In a thread that has started or joined
 * the manager already, resolves to the same proxy. Rejects with ERR_MANAGER_NOT_FOUND, ERR_MANAGER_STOPPED or
 * ERR_MANAGER_FAILED, with ERR_TIMEOUT if the manager's `callTimeout` passes first (the main thread is blocked), and
 * with ERR_INVALID_OPTION if this thread has joined with another `schema`.
 */
export async function connectSessionManager<D extends SessionData = Record<string, unknown>>(
  where: string | Ticket = defaults.name,
  options?: ConnectOptions<D>,
): Promise<SessionManager<D>> {
  if (typeof where === 'string' && where === '') throw expected('where', 'the name of a manager or a ticket', where);
  const { schema } = checkConnectOptions(options);
  const given = typeof where === 'string' ? undefined : checkTicket(where);
  const name = given?.name ?? (where as string);
  const here = managerHere(name, given);
  const ticket = here?.ticket ?? given ?? findTicket(name);
  if (ticket !== undefined && isOfOtherBuild(ticket)) throw otherBuild(name, ticket.coatcheck);
  if (here !== undefined) {
    if (schema !== undefined && schema !== here.schema) {
      throw new SessionError('ERR_INVALID_OPTION', 'This thread has joined the manager already, with another `schema`');
    }
    return here.manager as unknown as Promise<SessionManager<D>>;
  }
  if (ticket === undefined) throw notFound(name);
  const manager: Promise<ManagerClient> = join(ticket, schema, () => forget(manager as never));
  return register(name, { manager: manager as never, schema, ticket }) as unknown as Promise<SessionManager<D>>;
}

async function join(
  ticket: JoinTicket,
  schema: ReturnType<typeof checkConnectOptions>['schema'],
  forgotten: () => void,
): Promise<ManagerClient> {
  // Awaiting another thread's answer does not keep this thread alive; the timer does, and ends the wait.
  let late: (() => void) | undefined;
  const deadline = new Promise<never>((_, reject) => {
    late = () =>
      reject(
        new SessionError('ERR_TIMEOUT', 'The session manager could not be joined in time: is the main thread blocked?'),
      );
  });
  deadline.catch(() => {});
  // After a turn of the event loop: if this thread was blocked, the answer may have arrived without having been read.
  const timer = setTimeout(() => setImmediate(() => late?.()), ticket.callTimeout);
  const latest = performance.now() + ticket.callTimeout;
  try {
    for (;;) {
      refuseIfOver(ticket);
      try {
        const manager = await attempt(ticket, schema, forgotten, deadline);
        if (managerHere(ticket.name)?.ticket === ticket) publishTicket(ticket);
        return manager;
      } catch (error) {
        if (error instanceof SessionError && error.code === 'ERR_TIMEOUT') throw error;
        refuseIfOver(ticket);
        if (error instanceof SessionError && error.code !== 'ERR_MANAGER_FAILED') throw error;
        // The manager may be between two owners: the successor may be up in a moment.
        if (ticket.restarts && performance.now() + RETRY_AFTER < latest) await setTimeoutAsync(RETRY_AFTER);
        else if (error instanceof SessionError) throw error;
        else throw new SessionError('ERR_MANAGER_FAILED', undefined, { cause: error });
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** One attempt to join the current owner of the table, with ports of its own. */
async function attempt(
  ticket: JoinTicket,
  schema: ReturnType<typeof checkConnectOptions>['schema'],
  forgotten: () => void,
  deadline: Promise<never>,
): Promise<ManagerClient> {
  const { port1, port2 } = new MessageChannel();
  const { port1: second, port2: forSupervisor } = new MessageChannel();
  const message: JoinMessage = { coatcheck: 'join', name: ticket.name };
  let abandoning: NodeJS.Timeout | undefined;
  const forget = () => {
    clearInterval(abandoning);
    second.close();
    forgotten();
  };
  const header = new Int32Array(ticket.memory.header);
  // The epoch of the manager that this thread's port leads to: during the attempt, that of the manager that was asked;
  // later, that of the last successor whose port the supervisor has sent.
  let epoch = Atomics.load(header, HEADER.ownerEpoch);
  const reconnected = (next: number) => {
    clearInterval(abandoning);
    epoch = next;
  };
  const follow = (follower: ManagerFollower) => followSupervisor(second, follower, reconnected);
  const { restarts } = ticket;
  const memory = reserveConnectionMemory();
  const portClosed = () => {
    clearInterval(abandoning);
    abandoning = whenStillAlive(header, epoch, () => second.close());
  };
  const membership = { ticket, schema, ended: undefined, forget, memory, restarts, follow, portClosed };
  const { replaced, watching } = watchOwner(ticket);
  try {
    const joined = Promise.all([
      ManagerClient.greet(port1, membership),
      postMessageToThread(threadOf(ticket), { ...message, port: port2, second: forSupervisor }, [port2, forSupervisor]),
    ]);
    const [manager] = await Promise.race([joined, deadline, replaced]);
    return manager;
  } catch (error) {
    port1.close();
    second.close();
    throw error;
  } finally {
    clearInterval(watching);
  }
}

/** Rejects when the table has another owner. The manager that was asked may be blocked and never close its ports. */
function watchOwner({ memory }: JoinTicket): { replaced: Promise<never>; watching: NodeJS.Timeout } {
  const header = new Int32Array(memory.header);
  const owner = () => `${Atomics.load(header, HEADER.ownerEpoch)} ${Atomics.load(header, HEADER.threadId)}`;
  const asked = owner();
  let watching: NodeJS.Timeout | undefined;
  const replaced = new Promise<never>((_, reject) => {
    watching = setInterval(() => {
      if (owner() !== asked) reject(new SessionError('ERR_MANAGER_FAILED'));
    }, RETRY_AFTER);
  });
  replaced.catch(() => {});
  return { replaced, watching: watching as unknown as NodeJS.Timeout };
}

/**
 * For a port that closed although the manager of `epoch` was not replaced. If that manager goes on beating, it is alive
 * and no successor will come: `abandon` is called, and this thread may join again.
 */
function whenStillAlive(header: Int32Array, epoch: number, abandon: () => void): NodeJS.Timeout {
  const beat = Atomics.load(header, HEADER.heartbeat);
  const watching = setInterval(() => {
    // The heartbeat is read before the epoch. A beat of a later manager is thus never taken for one of this epoch.
    const hasBeaten = ((Atomics.load(header, HEADER.heartbeat) - beat) | 0) > 1;
    if (Atomics.load(header, HEADER.ownerEpoch) !== epoch) clearInterval(watching);
    else if (hasBeaten) abandon();
  }, RETRY_AFTER);
  return watching.unref();
}

/**
 * Listens to the supervisor. It closes its end of the port when there will be no successor, or when its thread ends.
 */
function followSupervisor(second: MessagePort, follower: ManagerFollower, reconnected: (epoch: number) => void): void {
  second.on('message', (message: SupervisorMessage) => {
    if (message?.coatcheck === 'reconnect' && isPort(message.port)) {
      reconnected(message.epoch);
      follower.reconnect(message.port as MessagePort);
    } else if (message?.coatcheck === 'restarted' && isThreadError(message.why)) {
      const { why, restarts, recovered } = message;
      follower.restarted({ cause: errorFrom(why), restarts, recovered });
    }
  });
  second.on('close', () => follower.managerEnded());
  second.unref();
}

/** The thread of the current owner; the first manager's until that is up. */
function threadOf({ memory, threadId }: JoinTicket): number {
  return Atomics.load(new Int32Array(memory.header), HEADER.threadId) || threadId;
}

function refuseIfOver(ticket: JoinTicket): void {
  if (!isOver(ticket)) return;
  const stopped = statusOf(ticket) === STATUS.stopped;
  throw new SessionError(stopped ? 'ERR_MANAGER_STOPPED' : 'ERR_MANAGER_FAILED');
}
