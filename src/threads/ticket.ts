/**
 * Tickets: the plain data by which a thread joins a manager. A thread finds a ticket by name in the environment data
 * that it inherited, or is given one. Used in every thread of the host.
 */

import { types } from 'node:util';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { ClockMemory } from '../protocol/clock.js';
import { expected, SessionError } from '../protocol/errors.js';
import { HEADER, LAYOUT_VERSION, STATUS, type TableMemory } from '../protocol/layout.js';
import type { Ticket } from '../types/types.js';
import { hintOfOtherProcess } from './processes.js';

/** A ticket as this package reads it. It holds shared memory and a thread's id, but no port and no key. */
export interface JoinTicket extends Ticket {
  readonly coatcheck: number;
  readonly threadId: number;
  /** How long joining may take, in milliseconds. */
  readonly callTimeout: number;
  /** Whether the supervisor starts a successor when the manager dies. */
  readonly restarts: boolean;
  readonly memory: TableMemory;
  readonly clock: ClockMemory;
}

const keyOf = (name: string) => `coatcheck.manager.${name}`;

/** The key of the list of names: environment data can be read by key only. */
const NAMES = 'coatcheck.managers';

/** Threads that this one spawns from now on find the manager by name, and so do their own threads. */
export function publishTicket(ticket: JoinTicket): void {
  setEnvironmentData(keyOf(ticket.name), ticket as never);
  const names = listedNames();
  if (!names.includes(ticket.name)) setEnvironmentData(NAMES, [...names, ticket.name]);
}

export function withdrawTicket(name: string): void {
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

/** The names of the managers that this thread can join. */
export function findableNames(): readonly string[] {
  return listedNames().filter((name) => {
    const ticket = findTicket(name);
    return ticket !== undefined && !isOver(ticket);
  });
}

/** The ticket of this name that this thread has inherited or published. */
export function findTicket(name: string): JoinTicket | undefined {
  const found: unknown = getEnvironmentData(keyOf(name));
  return isJoinTicket(found) ? found : undefined;
}

export function checkTicket(ticket: unknown): JoinTicket {
  if (isJoinTicket(ticket)) return ticket;
  if (isWithoutMemory(ticket)) {
    const text =
      'This ticket has come from another process, or was stored: a manager is found only by threads of its own process';
    throw new SessionError('ERR_MANAGER_NOT_FOUND', text);
  }
  throw expected('where', 'the name of a manager or a ticket made by its `createTicket`', ticket);
}

function isJoinTicket(value: unknown): value is JoinTicket {
  if (typeof value !== 'object' || value === null) return false;
  const { coatcheck, name, threadId, callTimeout, memory, clock } = value as Partial<JoinTicket>;
  if (isOfOtherBuild(value as JoinTicket)) return typeof coatcheck === 'number' && typeof name === 'string';
  return (
    typeof name === 'string' &&
    Number.isInteger(threadId) &&
    typeof callTimeout === 'number' &&
    types.isSharedArrayBuffer(memory?.header) &&
    types.isSharedArrayBuffer(clock)
  );
}

/** Whether this was a ticket before it was serialized: JSON drops shared memory. */
function isWithoutMemory(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, threadId, memory, clock } = value as Partial<JoinTicket>;
  const isTicket = typeof name === 'string' && Number.isInteger(threadId) && typeof memory === 'object';
  return isTicket && typeof clock === 'object' && !types.isSharedArrayBuffer(clock);
}

/** Whether the ticket is for a manager of another build. Nothing else of such a ticket may be read. */
export function isOfOtherBuild(ticket: JoinTicket): boolean {
  return ticket.coatcheck !== LAYOUT_VERSION;
}

/** The manager's status: one of STATUS. */
export function statusOf(ticket: JoinTicket): number {
  return Atomics.load(new Int32Array(ticket.memory.header), HEADER.status);
}

/**
 * Whether there will be no manager any more. A manager of another build counts as running until its own copy of the
 * package withdraws the ticket.
 */
export function isOver(ticket: JoinTicket): boolean {
  if (isOfOtherBuild(ticket)) return false;
  const status = statusOf(ticket);
  return status === STATUS.stopped || status === STATUS.failed;
}

/** The error if no manager has this name. */
export function notFound(name: string): SessionError {
  const names = findableNames().map((found) => `\`${found}\``);
  const there =
    names.length === 0 ? 'there is none' : `there ${names.length === 1 ? 'is' : 'are'} ${[...names].sort().join(', ')}`;
  // A text longer than any manager's name may be anything, and is not shown.
  const sought = name.length <= 64 ? ` \`${name}\`` : ' of this name';
  const text = `No session manager${sought} can be found from this thread (${there}): start it before this thread is spawned, or pass a ticket`;
  return new SessionError('ERR_MANAGER_NOT_FOUND', text + hintOfOtherProcess());
}

/** The error for a manager with another layout. */
export function otherBuild(name: string, layoutVersion: number): SessionError {
  return new SessionError(
    'ERR_MANAGER_NOT_FOUND',
    `The session manager \`${name}\` is of another build of coatcheck (layout ${layoutVersion}): use the same version in every thread`,
  );
}
