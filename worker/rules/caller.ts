/** Who makes a call, as the rules of sessions see it. Manager's thread. */

import type { Journal } from '../table/journal.js';
import type { Pins } from '../table/pins.js';

/** Who made a call, and which of its calls it is: each record names the call that made it. */
export interface Caller {
  readonly connection: number;
  readonly call: number;
  /** Where what the call publishes is noted before. */
  readonly journal?: Journal | undefined;
  /** Where the values are kept that its answers hold. */
  readonly pins?: Pins | undefined;
}

/** The manager's own doings. */
export const itself: Caller = { connection: 0, call: 0 };
