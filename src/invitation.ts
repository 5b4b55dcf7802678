/** Invitations: what a thread needs to join a manager, as plain data; by name in the environment data that spawned threads inherit, or as a ticket. */

import { types } from 'node:util';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { ClockMemory } from './protocol/clock.js';
import { expected, SessionError } from './protocol/errors.js';
import { HEADER, LAYOUT_VERSION, STATUS, type TableMemory } from './protocol/layout.js';
import type { Ticket } from './types.js';

/** Holds shared memory and a thread's number: no port, no key. */
export interface Invitation extends Ticket {
  readonly coatcheck: number;
  readonly threadId: number;
  /** Milliseconds, as the manager was given it: how long a join may take. */
  readonly callTimeout: number;
  /** Whether a manager that dies has a successor. */
  readonly restarts: boolean;
  readonly memory: TableMemory;
  readonly clock: ClockMemory;
}

const keyOf = (name: string) => `coatcheck.manager.${name}`;

/** Every thread that this one spawns from now on finds the manager by its name, and so do the threads that those spawn. */
export function publishInvitation(invitation: Invitation): void {
  setEnvironmentData(keyOf(invitation.name), invitation as never);
}

export function withdrawInvitation(name: string): void {
  setEnvironmentData(keyOf(name), undefined);
}

/** The invitation of this name that this thread inherited or published. */
export function findInvitation(name: string): Invitation | undefined {
  const found: unknown = getEnvironmentData(keyOf(name));
  return isInvitation(found) ? found : undefined;
}

export function checkTicket(ticket: unknown): Invitation {
  if (isInvitation(ticket)) return ticket;
  throw expected('where', 'the name of a manager or a ticket made by its `createTicket`', ticket);
}

function isInvitation(value: unknown): value is Invitation {
  if (typeof value !== 'object' || value === null) return false;
  const { coatcheck, name, threadId, callTimeout, memory, clock } = value as Partial<Invitation>;
  if (isOfOtherBuild(value as Invitation)) return typeof coatcheck === 'number' && typeof name === 'string';
  return (
    typeof name === 'string' &&
    Number.isInteger(threadId) &&
    typeof callTimeout === 'number' &&
    types.isSharedArrayBuffer(memory?.header) &&
    types.isSharedArrayBuffer(clock)
  );
}

/** True if the invitation is to a manager of another build: nothing more of it can be read here. */
export function isOfOtherBuild(invitation: Invitation): boolean {
  return invitation.coatcheck !== LAYOUT_VERSION;
}

/** How the manager of an invitation is: one of STATUS. */
export function statusOf(invitation: Invitation): number {
  return Atomics.load(new Int32Array(invitation.memory.header), HEADER.status);
}

/** Whether no manager will come any more. One of another build counts as running until its own copy of the package strikes it. */
export function isOver(invitation: Invitation): boolean {
  if (isOfOtherBuild(invitation)) return false;
  const status = statusOf(invitation);
  return status === STATUS.stopped || status === STATUS.failed;
}

/** The refusal of a manager whose build has another layout. */
export function otherBuild(name: string, layoutVersion: number): SessionError {
  return new SessionError(
    'ERR_MANAGER_NOT_FOUND',
    `The session manager \`${name}\` is of another build of coatcheck (layout ${layoutVersion}): use the same version in every thread`,
  );
}
