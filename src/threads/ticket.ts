/**
 * Invitations: what a thread needs to join a manager, as plain data; by name in the environment data that spawned
 * threads inherit, or as a ticket.
 */

import { types } from 'node:util';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { ClockMemory } from '../protocol/clock.js';
import { expected, SessionError } from '../protocol/errors.js';
import { HEADER, LAYOUT_VERSION, STATUS, type TableMemory } from '../protocol/layout.js';
import type { Ticket } from '../types/types.js';
import { hintOfOtherProcess } from './processes.js';

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

/** Under which the names are listed, as environment data can only be asked for by their keys. */
const NAMES = 'coatcheck.managers';

/**
 * Every thread that this one spawns from now on finds the manager by its name, and so do the threads that those spawn.
 */
export function publishInvitation(invitation: Invitation): void {
  setEnvironmentData(keyOf(invitation.name), invitation as never);
  const names = listedNames();
  if (!names.includes(invitation.name)) setEnvironmentData(NAMES, [...names, invitation.name]);
}

export function withdrawInvitation(name: string): void {
  setEnvironmentData(keyOf(name), undefined);
  setEnvironmentData(
    NAMES,
    listedNames().filter((listed) => listed !== name),
  );
}

function listedNames(): readonly string[] {
  const listed: unknown = getEnvironmentData(NAMES);
  return Array.isArray(listed) ? listed.filter((name) => typeof name === 'string') : [];
}

/** The names of the managers that this thread would find. */
export function findableNames(): readonly string[] {
  return listedNames().filter((name) => {
    const invitation = findInvitation(name);
    return invitation !== undefined && !isOver(invitation);
  });
}

/** The invitation of this name that this thread inherited or published. */
export function findInvitation(name: string): Invitation | undefined {
  const found: unknown = getEnvironmentData(keyOf(name));
  return isInvitation(found) ? found : undefined;
}

export function checkTicket(ticket: unknown): Invitation {
  if (isInvitation(ticket)) return ticket;
  if (isWithoutMemory(ticket)) {
    const text =
      'This ticket has come from another process, or was stored: a manager is found only by threads of its own process';
    throw new SessionError('ERR_MANAGER_NOT_FOUND', text);
  }
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

/** Whether this was a ticket before it was sent or written as JSON, which knows no shared memory. */
function isWithoutMemory(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, threadId, memory, clock } = value as Partial<Invitation>;
  const isTicket = typeof name === 'string' && Number.isInteger(threadId) && typeof memory === 'object';
  return isTicket && typeof clock === 'object' && !types.isSharedArrayBuffer(clock);
}

/** True if the invitation is to a manager of another build: nothing more of it can be read here. */
export function isOfOtherBuild(invitation: Invitation): boolean {
  return invitation.coatcheck !== LAYOUT_VERSION;
}

/** How the manager of an invitation is: one of STATUS. */
export function statusOf(invitation: Invitation): number {
  return Atomics.load(new Int32Array(invitation.memory.header), HEADER.status);
}

/**
 * Whether no manager will come any more. One of another build counts as running until its own copy of the package
 * strikes it.
 */
export function isOver(invitation: Invitation): boolean {
  if (isOfOtherBuild(invitation)) return false;
  const status = statusOf(invitation);
  return status === STATUS.stopped || status === STATUS.failed;
}

/** The refusal where there is no manager of this name. */
export function notFound(name: string): SessionError {
  const names = findableNames().map((found) => `\`${found}\``);
  const there =
    names.length === 0 ? 'there is none' : `there ${names.length === 1 ? 'is' : 'are'} ${[...names].sort().join(', ')}`;
  // Longer than any manager's name: whatever that is, it is not shown.
  const sought = name.length <= 64 ? ` \`${name}\`` : ' of this name';
  const text = `No session manager${sought} can be found from this thread (${there}): start it before this thread is spawned, or pass a ticket`;
  return new SessionError('ERR_MANAGER_NOT_FOUND', text + hintOfOtherProcess());
}

/** The refusal of a manager whose build has another layout. */
export function otherBuild(name: string, layoutVersion: number): SessionError {
  return new SessionError(
    'ERR_MANAGER_NOT_FOUND',
    `The session manager \`${name}\` is of another build of coatcheck (layout ${layoutVersion}): use the same version in every thread`,
  );
}
