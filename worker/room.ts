/** Room for more: whether the limits allow another session or more data, and who has to go for it. Manager's thread. */

import type { Endings } from './endings.js';
import { type Sessions, userKey } from './sessions.js';

export interface Limits {
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
}

export class Room {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #limits: Limits;

  constructor(sessions: Sessions, endings: Endings, limits: Limits) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#limits = limits;
  }

  /** Makes sure that a user may hold one session more, or says no. */
  admit(user: Uint8Array): boolean {
    const { maxSessionsPerUser, whenOverLimit } = this.#limits;
    const { users } = this.#sessions;
    const key = userKey(user);
    if (users.count(key) < maxSessionsPerUser) return true;
    this.#endings.settle();
    while (users.count(key) >= maxSessionsPerUser) {
      if (whenOverLimit === 'reject') return false;
      this.#endings.end(users.first(key), 'over-limit');
    }
    return true;
  }

  /** Makes sure that so many slots and bytes more fit, or says no; `spare` is the slot of the session that grows, -1 for none. */
  make(slots: number, bytes: number, spare: number): boolean {
    const { table } = this.#sessions;
    const fits = () => table.slotsFree >= slots && (bytes <= 0 || table.dataBytes + bytes <= this.#limits.maxBytes);
    if (fits()) return true;
    this.#endings.settle();
    while (!fits()) if (!this.#endings.endLongestIdle(spare)) return false;
    return true;
  }
}
