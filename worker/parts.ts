/** What a manager is made of, for whoever does its calls. Manager's thread. */

import type { Connections } from './connections.js';
import type { Endings } from './endings.js';
import type { Manager } from './manager.js';
import type { Sessions } from './sessions.js';
import type { Steps } from './turns.js';

export interface ManagerParts {
  readonly manager: Manager;
  readonly sessions: Sessions;
  readonly endings: Endings;
  readonly connections: Connections;
  readonly bytesReserved: number;
  /** Called once, when a thread has asked for the end and what had arrived by then is done. */
  readonly stop: () => Steps<void>;
  /**
   * Called where something failed that must not fail: what lies beside the table may be half changed, so this manager
   * has to go.
   */
  readonly die: (error: unknown) => void;
}
