/** Joining a running manager: hands it a port through the main thread, and greets it there. Runs in the thread that calls it. */

import { MessageChannel, postMessageToThread } from 'node:worker_threads';
import { checkConnectOptions } from './arguments.js';
import { defaults } from './defaults.js';
import {
  checkTicket,
  findInvitation,
  type Invitation,
  isOver,
  otherBuild,
  publishInvitation,
  statusOf,
} from './invitation.js';
import { Manager } from './manager.js';
import { expected, SessionError } from './protocol/errors.js';
import { LAYOUT_VERSION, STATUS } from './protocol/layout.js';
import type { JoinMessage } from './protocol/startup.js';
import { forget, managerHere, register } from './registry.js';
import type { ConnectOptions, SessionData, SessionManager, Ticket } from './types.js';

/**
 * Joins a running manager, by its name (default 'default') or by a ticket. In a thread that has started or joined it already, the same proxy is returned.
 * Rejects with ERR_MANAGER_NOT_FOUND, ERR_MANAGER_STOPPED, ERR_MANAGER_FAILED, or ERR_TIMEOUT while the main thread is blocked.
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
  if (here !== undefined) {
    if (schema !== undefined && schema !== here.schema) {
      throw new SessionError('ERR_INVALID_OPTION', 'This thread has joined the manager already, with another `schema`');
    }
    return here.manager as unknown as Promise<SessionManager<D>>;
  }
  const invitation = ticket ?? findInvitation(name);
  if (invitation === undefined) throw new SessionError('ERR_MANAGER_NOT_FOUND');
  if (invitation.coatcheck !== LAYOUT_VERSION) throw otherBuild(name, invitation.coatcheck);
  const manager: Promise<Manager> = join(invitation, schema, () => forget(manager as never));
  return register(name, { manager: manager as never, schema, invitation }) as unknown as Promise<SessionManager<D>>;
}

async function join(
  invitation: Invitation,
  schema: ReturnType<typeof checkConnectOptions>['schema'],
  forgotten: () => void,
): Promise<Manager> {
  refuseIfOver(invitation);
  const { port1, port2 } = new MessageChannel();
  // Waiting for another thread's answer keeps nothing alive: this timer does, and ends the wait.
  let late: (() => void) | undefined;
  const deadline = new Promise<never>((_, reject) => {
    late = () =>
      reject(
        new SessionError('ERR_TIMEOUT', 'The session manager could not be joined in time: is the main thread blocked?'),
      );
  });
  const timer = setTimeout(() => late?.(), invitation.callTimeout);
  try {
    const message: JoinMessage = { coatcheck: 'join', name: invitation.name };
    const membership = { invitation, schema, ended: undefined, forget: forgotten };
    const joined = Promise.all([
      Manager.greet(port1, membership),
      postMessageToThread(invitation.threadId, { ...message, port: port2 }, [port2]),
    ]);
    const [manager] = await Promise.race([joined, deadline]);
    if (managerHere(invitation.name)?.invitation === invitation) publishInvitation(invitation);
    return manager;
  } catch (error) {
    port1.close();
    if (error instanceof SessionError && error.code === 'ERR_TIMEOUT') throw error;
    refuseIfOver(invitation);
    if (error instanceof SessionError) throw error;
    throw new SessionError('ERR_MANAGER_FAILED', undefined, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function refuseIfOver(invitation: Invitation): void {
  if (!isOver(invitation)) return;
  const stopped = statusOf(invitation) === STATUS.stopped;
  throw new SessionError(stopped ? 'ERR_MANAGER_STOPPED' : 'ERR_MANAGER_FAILED');
}
