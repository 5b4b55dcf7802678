/** How the rules tell of what happens. They know neither threads nor ports. Manager's thread. */

import type { ByteWriter } from '../../src/protocol/bytes.js';
import type { Target } from '../../src/protocol/calls.js';
import type { Reason } from '../../src/protocol/notices.js';

export interface Notifier {
  /** The events that anyone listens to, as bits (EVENT_BITS). Other events need not be prepared. */
  readonly wanted: number;
  /** Sends an event to everyone who listens to it; `write` writes its fields. */
  tell(bit: number, write: (to: ByteWriter) => void): void;
  /** Tells everyone who watches this session that it has ended. */
  over(target: Target, reason: Reason): void;
  /** The slots of the sessions that anyone watches. */
  watched(): readonly number[];
}
