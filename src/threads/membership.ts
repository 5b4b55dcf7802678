/**
 * What a thread brings along when it comes to a manager, and how it is told that there is another. Used in every thread
 * of the host.
 */

import type { MessagePort } from 'node:worker_threads';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Line } from '../calls/link.js';
import type { SessionEvents } from '../types/types.js';
import type { Invitation } from './ticket.js';

/** How this thread came to the manager, and how it leaves. */
export interface Membership {
  readonly invitation: Invitation;
  readonly schema: StandardSchemaV1 | undefined;
  /** In the thread that started it: waits until the manager's thread is gone. Undefined in one that joined. */
  readonly ended: (() => Promise<void>) | undefined;
  /** Strikes this manager from the thread's registry, and lets go of the supervisor. */
  readonly forget: () => void;
  /** What this connection shares with every manager of the table. */
  readonly line: Line;
  /** Whether a manager that dies has a successor. */
  readonly restarts: boolean;
  /**
   * The port has closed: tells the supervisor, in the thread that started it; elsewhere it lets go of a manager that
   * lives on behind it.
   */
  readonly cutOff?: () => void;
  /** Hands over what the supervisor shall call when that happens. */
  readonly follow: (follower: Follower) => void;
}

/** What a thread does when it is told of its manager's death. */
export interface Follower {
  /** A successor is there: this is the port to it. */
  renew(port: MessagePort): void;
  restarted(event: SessionEvents['restarted']): void;
  /** None will come any more. */
  over(): void;
}
