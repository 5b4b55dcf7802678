/**
 * How a thread and a manager belong together. A `Membership` is what a thread knows of the manager that it started or
 * joined, and is used in every thread of the host. A `Member` is what the supervisor knows of one such thread, and is
 * used in the thread that started the manager.
 */

import type { MessagePort } from 'node:worker_threads';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConnectionMemory } from '../calls/link.js';
import type { Joined, SupervisorMessage, ThreadError } from '../protocol/startup.js';
import type { SessionEvents } from '../types/types.js';
import type { JoinTicket } from './ticket.js';

export interface Membership {
  readonly ticket: JoinTicket;
  readonly schema: StandardSchemaV1 | undefined;
  /** In the thread that started the manager: resolves when its thread has ended. Undefined in a thread that joined. */
  readonly ended: (() => Promise<void>) | undefined;
  /** Removes the manager from this thread's registry, and closes the port to the supervisor. */
  readonly forget: () => void;
  readonly memory: ConnectionMemory;
  /** Whether the supervisor starts a successor when the manager dies. */
  readonly restarts: boolean;
  /**
   * Called when the port to the manager has closed. In the thread that started the manager, it tells the supervisor.
   * In a thread that joined, it leaves the manager if that is still alive, as no successor will come.
   */
  readonly portClosed?: () => void;
  /** Sets who is told of the manager's successors and of its end. */
  readonly follow: (follower: ManagerFollower) => void;
}

/** What a thread does when its manager has died. */
export interface ManagerFollower {
  /** A successor has been started; `port` leads to it. */
  reconnect(port: MessagePort): void;
  restarted(event: SessionEvents['restarted']): void;
  /** There will be no successor. */
  managerEnded(): void;
}

/** A thread as its supervisor tells it of restarts. */
export interface Member extends ConnectionMemory {
  readonly number: number;
  /** `epoch` is the owner epoch of the manager at the other end of `port`. */
  reconnect(port: MessagePort, epoch: number): void;
  restarted(why: ThreadError, restarts: number, recovered: number): void;
  managerEnded(): void;
}

/**
 * The member for a thread that joined, which is told through its second port. `gone` is called when that thread ends.
 */
export function memberOf({ number, words, journal, second }: Joined, gone: () => void): Member {
  const port = second as MessagePort;
  const post = (message: SupervisorMessage, ports: readonly MessagePort[] = []) => port.postMessage(message, ports);
  port.on('close', gone);
  // A port emits 'close' only once its messages are read. Nothing that a thread sends here is used.
  port.on('message', () => {});
  port.unref();
  return {
    number,
    words,
    journal,
    reconnect: (next, epoch) => post({ coatcheck: 'reconnect', port: next, epoch }, [next]),
    restarted: (why, restarts, recovered) => post({ coatcheck: 'restarted', why, restarts, recovered }),
    managerEnded: () => port.close(),
  };
}
