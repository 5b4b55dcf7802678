/** Room for more: whether the limits allow another session or more data, and who has to go for it. Manager's thread. */

import type { Refusal } from '../src/protocol/calls.js';
import type { Endings } from './endings.js';
import type { Sessions } from './sessions.js';

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

  /**
   * Makes room for so many slots and bytes more, and for one session more of `user` if one is given, or refuses; a refusal ends nobody. `spare` is the
   * slot of the session that grows, -1 for a new one. May load other records over the one at hand.
   */
  admit(user: Uint8Array | undefined, slots: number, bytes: number, spare: number): Refusal | undefined {
    const isRoom = () => this.#surplus(user) <= 0 && this.#fits(slots, bytes);
    if (isRoom()) return undefined;
    // No more than it takes: of a million that end at one moment, none shall be waited for by one that begins.
    this.#endings.settle(isRoom);
    if (isRoom()) return undefined;
    const { table, idle } = this.#sessions;
    const surplus = this.#surplus(user);
    if (surplus > 0 && this.#limits.whenOverLimit === 'reject') return 'ERR_SESSION_LIMIT';
    const oldest: number[] = [];
    let freed = 0;
    for (const slot of user !== undefined && surplus > 0 ? this.#sessions.slots(user) : []) {
      if (oldest.length === surplus) break;
      oldest.push(slot);
      if (table.view.load(slot, false) !== 0) freed += table.view.head.dataBytes;
    }
    if (idle === undefined && !this.#fits(slots - oldest.length, bytes - freed)) return 'ERR_TABLE_FULL';
    for (const slot of oldest) this.#endings.end(slot, 'over-limit');
    while (!this.#fits(slots, bytes)) if (!this.#endings.endLongestIdle(spare)) return 'ERR_TABLE_FULL';
    return undefined;
  }

  /** How many sessions of a user have to go before one more is within the limit. */
  #surplus(user: Uint8Array | undefined): number {
    if (user === undefined || user.length === 0) return 0;
    return this.#sessions.users.count(user) + 1 - this.#limits.maxSessionsPerUser;
  }

  #fits(slots: number, bytes: number): boolean {
    const { table } = this.#sessions;
    return table.slotsFree >= slots && (bytes <= 0 || table.dataBytes + bytes <= this.#limits.maxBytes);
  }
}
