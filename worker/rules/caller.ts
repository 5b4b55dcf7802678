/** Who makes a call, as the rules see it. Manager's thread. */

import type { Journal } from '../table/journal.js';
import type { Pins } from '../table/pins.js';

/** The connection that made a call, and the call's number: both are written into the record that the call publishes. */
export interface Caller {
  readonly connection: number;
  readonly call: number;
  /** Where a change is noted before it is published. */
  readonly journal?: Journal | undefined;
  /** Where the values that the connection's answers contain are pinned. */
  readonly pins?: Pins | undefined;
}

/** The manager itself. */
export const itself: Caller = { connection: 0, call: 0 };
