/**
 * Joining a running manager: hands it a port through the main thread, and greets it there. Runs in the thread that
 * calls it.
 */

import { setTimeout as setTimeoutAsync } from 'node:timers/promises';
import { MessageChannel, type MessagePort, postMessageToThread } from 'node:worker_threads';
import { reserveLine } from '../calls/link.js';
import { expected, SessionError } from '../protocol/errors.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import { isPort, isThreadError, type JoinMessage, type SupervisorMessage } from '../protocol/startup.js';
import { errorFrom } from '../protocol/thread-error.js';
import type { Follower } from '../threads/membership.js';
import { forget, managerHere, register } from '../threads/registry.js';
import {
  checkTicket,
  findInvitation,
  type Invitation,
  isOfOtherBuild,
  isOver,
  notFound,
  otherBuild,
  publishInvitation,
  statusOf,
} from '../threads/ticket.js';
import type { ConnectOptions, SessionData, SessionManager, Ticket } from '../types/types.js';
import { checkConnectOptions } from '../validation/arguments.js';
import { defaults } from '../validation/defaults.js';
import { Manager } from './client.js';

/** How long to wait, in milliseconds, before a manager is looked for again. */
const RETRY_AFTER = 20;

/**
 * Joins a running manager, by its name (default 'default') or by a ticket. In a thread that has started or joined it
 * already, the same proxy is returned. Rejects with ERR_MANAGER_NOT_FOUND, ERR_MANAGER_STOPPED, ERR_MANAGER_FAILED, or
 * ERR_TIMEOUT while the main thread is blocked.
 */
export async function connectSessionManager<D extends SessionData = Record<string, unknown>>(
  where: string | Ticket = defaults.name,
  options?: ConnectOptions<D>,
): Promise<SessionManager<D>> {
  if (typeof where === 'string' && where === '') throw expected('where', 'the name of a manager or a ticket', where);
  const { schema } = checkConnectOptions(options);
  const ticket = typeof where === 'string' ? undefined : checkTicket(where);
  const name = ticket?.name ?? (where as string);
  const here = managerHere(name, ticket);
  const invitation = here?.invitation ?? ticket ?? findInvitation(name);
  if (invitation !== undefined && isOfOtherBuild(invitation)) throw otherBuild(name, invitation.coatcheck);
  if (here !== undefined) {
    if (schema !== undefined && schema !== here.schema) {
      throw new SessionError('ERR_INVALID_OPTION', 'This thread has joined the manager already, with another `schema`');
    }
    return here.manager as unknown as Promise<SessionManager<D>>;
  }
  if (invitation === undefined) throw notFound(name);
  const manager: Promise<Manager> = join(invitation, schema, () => forget(manager as never));
  return register(name, { manager: manager as never, schema, invitation }) as unknown as Promise<SessionManager<D>>;
}

async function join(
  invitation: Invitation,
  schema: ReturnType<typeof checkConnectOptions>['schema'],
  forgotten: () => void,
): Promise<Manager> {
  // Waiting for another thread's answer keeps nothing alive: this timer does, and ends the wait.
  let late: (() => void) | undefined;
  const deadline = new Promise<never>((_, reject) => {
    late = () =>
      reject(
        new SessionError('ERR_TIMEOUT', 'The session manager could not be joined in time: is the main thread blocked?'),
      );
  });
  deadline.catch(() => {});
  // Behind a turn of the event loop: where this thread was blocked, the answer may have arrived and not been read.
  const timer = setTimeout(() => setImmediate(() => late?.()), invitation.callTimeout);
  const latest = performance.now() + invitation.callTimeout;
  try {
    for (;;) {
      refuseIfOver(invitation);
      try {
        const manager = await attempt(invitation, schema, forgotten, deadline);
        if (managerHere(invitation.name)?.invitation === invitation) publishInvitation(invitation);
        return manager;
      } catch (error) {
        if (error instanceof SessionError && error.code === 'ERR_TIMEOUT') throw error;
        refuseIfOver(invitation);
        if (error instanceof SessionError && error.code !== 'ERR_MANAGER_FAILED') throw error;
        // Between two managers: the next may be there in a moment.
        if (invitation.restarts && performance.now() + RETRY_AFTER < latest) await setTimeoutAsync(RETRY_AFTER);
        else if (error instanceof SessionError) throw error;
        else throw new SessionError('ERR_MANAGER_FAILED', undefined, { cause: error });
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** One try: with ports of its own, to the manager that is in office. */
async function attempt(
  invitation: Invitation,
  schema: ReturnType<typeof checkConnectOptions>['schema'],
  forgotten: () => void,
  deadline: Promise<never>,
): Promise<Manager> {
  const { port1, port2 } = new MessageChannel();
  const { port1: second, port2: forSupervisor } = new MessageChannel();
  const message: JoinMessage = { coatcheck: 'join', name: invitation.name };
  let lettingGo: NodeJS.Timeout | undefined;
  const forget = () => {
    clearInterval(lettingGo);
    second.close();
    forgotten();
  };
  const header = new Int32Array(invitation.memory.header);
  // Of the manager that this thread has its port from: the one that is asked now, or this try fails; afterwards, the
  // one whose port the supervisor hands on.
  let epoch = Atomics.load(header, HEADER.ownerEpoch);
  const renewed = (next: number) => {
    clearInterval(lettingGo);
    epoch = next;
  };
  const follow = (follower: Follower) => followSupervisor(second, follower, renewed);
  const { restarts } = invitation;
  const line = reserveLine();
  const cutOff = () => {
    clearInterval(lettingGo);
    lettingGo = onceAlive(header, epoch, () => second.close());
  };
  const membership = { invitation, schema, ended: undefined, forget, line, restarts, follow, cutOff };
  const { replaced, watching } = watchOffice(invitation);
  try {
    const joined = Promise.all([
      Manager.greet(port1, membership),
      postMessageToThread(threadOf(invitation), { ...message, port: port2, second: forSupervisor }, [
        port2,
        forSupervisor,
      ]),
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

/**
 * Rejects when another manager is in office: the one that was asked may be blocked, and hold its ports open, for good.
 */
function watchOffice({ memory }: Invitation): { replaced: Promise<never>; watching: NodeJS.Timeout } {
  const header = new Int32Array(memory.header);
  const office = () => `${Atomics.load(header, HEADER.ownerEpoch)} ${Atomics.load(header, HEADER.threadId)}`;
  const asked = office();
  let watching: NodeJS.Timeout | undefined;
  const replaced = new Promise<never>((_, reject) => {
    watching = setInterval(() => {
      if (office() !== asked) reject(new SessionError('ERR_MANAGER_FAILED'));
    }, RETRY_AFTER);
  });
  replaced.catch(() => {});
  return { replaced, watching: watching as unknown as NodeJS.Timeout };
}

/**
 * The port to the manager of this epoch has closed. A dead one has a successor; where its heart goes on beating nobody
 * will come, and this thread lets go: it may join anew.
 */
function onceAlive(header: Int32Array, epoch: number, letGo: () => void): NodeJS.Timeout {
  const beat = Atomics.load(header, HEADER.heartbeat);
  const watching = setInterval(() => {
    // A beat is read before the epoch is: whoever beats afterwards is of this epoch, or a later one is seen.
    const hasBeaten = ((Atomics.load(header, HEADER.heartbeat) - beat) | 0) > 1;
    if (Atomics.load(header, HEADER.ownerEpoch) !== epoch) clearInterval(watching);
    else if (hasBeaten) letGo();
  }, RETRY_AFTER);
  return watching.unref();
}

/** Listens to the supervisor, whose end of the port closes with its thread or when no manager will come any more. */
function followSupervisor(second: MessagePort, follower: Follower, renewed: (epoch: number) => void): void {
  second.on('message', (message: SupervisorMessage) => {
    if (message?.coatcheck === 'reconnect' && isPort(message.port)) {
      renewed(message.epoch);
      follower.renew(message.port as MessagePort);
    } else if (message?.coatcheck === 'restarted' && isThreadError(message.why)) {
      const { why, restarts, recovered } = message;
      follower.restarted({ cause: errorFrom(why), restarts, recovered });
    }
  });
  second.on('close', () => follower.over());
  second.unref();
}

/** The thread of the manager in office; the first one's, until that has come up. */
function threadOf({ memory, threadId }: Invitation): number {
  return Atomics.load(new Int32Array(memory.header), HEADER.threadId) || threadId;
}

function refuseIfOver(invitation: Invitation): void {
  if (!isOver(invitation)) return;
  const stopped = statusOf(invitation) === STATUS.stopped;
  throw new SessionError(stopped ? 'ERR_MANAGER_STOPPED' : 'ERR_MANAGER_FAILED');
}
