/** The parts of a manager that doing its calls needs. Manager's thread. */

import type { Endings } from '../rules/endings.js';
import type { Rules } from '../rules/rules.js';
import type { Sessions } from '../rules/sessions.js';
import type { Steps } from '../table/pace.js';
import type { Connections } from './connections.js';

export interface ManagerParts {
  readonly rules: Rules;
  readonly sessions: Sessions;
  readonly endings: Endings;
  readonly connections: Connections;
  readonly bytesReserved: number;
  /** Called once, when a thread has asked for the stop and what had arrived by then is done. */
  readonly stop: () => Steps<void>;
  /**
   * Called when something failed that must not fail: the manager's lists may be half changed, so this manager has to
   * end.
   */
  readonly die: (error: unknown) => void;
}
