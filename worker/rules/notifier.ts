/** Who is told of what happens, as the rules of sessions see it: they neither know threads nor ports. */

import type { ByteWriter } from '../../src/protocol/bytes.js';
import type { Target } from '../../src/protocol/calls.js';
import type { Reason } from '../../src/protocol/notices.js';

export interface Audience {
  /** Bits of the events (EVENT_BITS) that anybody listens to: nothing is prepared for nobody. */
  readonly wanted: number;
  /** Tells everyone who listens to this event; `write` writes its fields. */
  tell(bit: number, write: (to: ByteWriter) => void): void;
  /** Tells everyone who watches this session that it is over. */
  over(target: Target, reason: Reason): void;
  /** The slots of the sessions that anyone watches. */
  watched(): readonly number[];
}

/** Nobody listens. */
export const nobody: Audience = { wanted: 0, tell() {}, over() {}, watched: () => [] };
