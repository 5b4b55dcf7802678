/** Room for more: whether the limits allow another session or more data, and who has to go for it. Manager's thread. */

import type { Refusal } from '../../src/protocol/calls.js';
import type { Steps } from '../table/pace.js';
import type { Endings } from './endings.js';
import type { Sessions } from './sessions.js';

export interface Limits {
  readonly maxBytes: number;
  readonly maxSessionBytes: number;
  readonly maxSessionsPerUser: number;
  readonly whenOverLimit: 'reject' | 'end-oldest';
  readonly whenFull: 'reject' | 'end-longest-idle';
}

/**
 * What has to be done before it can be said whether there is room: then it is asked again, unless it comes to a
 * refusal.
 */
export type RoomMaking = Steps<Refusal | undefined>;

/** Sessions of one user that are looked at one by one, where it matters which of them are over. */
const FEW = 1000;

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
   * Makes room for so many slots and bytes more, and for one session more of `user` if one is given, or refuses; a
   * refusal ends nobody. `spare` is the slot of the session that grows, -1 for a new one. May load other records over
   * the one at hand.
   */
  admit(user: Uint8Array | undefined, slots: number, bytes: number, spare: number): Refusal | RoomMaking | undefined {
    const isRoom = () => this.#surplus(user) <= 0 && this.#fits(slots, bytes);
    if (isRoom()) return undefined;
    this.#sessions.table.unpin();
    const isKnown = this.#fits(slots, bytes) && this.#hasFew(user);
    // No more than it takes: of a million that end at one moment, none shall be waited for by one that begins.
    if (!isKnown && this.#endings.isUnsettled) return this.#settling(isRoom);
    const { table } = this.#sessions;
    const oldest = this.#oldest(user);
    if (oldest.length > 0 && this.#limits.whenOverLimit === 'reject') return 'ERR_SESSION_LIMIT';
    let freed = 0;
    for (const slot of oldest) if (table.view.load(slot, false) !== 0) freed += table.view.head.dataBytes;
    const evicts = this.#limits.whenFull === 'end-longest-idle';
    if (!evicts && !this.#fits(slots - oldest.length, bytes - freed)) return 'ERR_TABLE_FULL';
    for (const slot of oldest) this.#endings.end(slot, 'over-limit');
    return this.#fits(slots, bytes) ? undefined : this.#evicting(slots, bytes, spare);
  }

  *#settling(isRoom: () => boolean): RoomMaking {
    yield* this.#endings.settling(isRoom);
    return undefined;
  }

  *#evicting(slots: number, bytes: number, spare: number): RoomMaking {
    const { pace } = this.#sessions.table;
    while (!this.#fits(slots, bytes)) {
      const isEnded = yield* this.#endings.endLongestIdle(spare);
      if (!isEnded) return 'ERR_TABLE_FULL';
      if (pace.isOver) yield;
    }
    return undefined;
  }

  /**
   * How many sessions of a user have to go before one more is within the limit, as the lists have it: with those that
   * are over and not taken out.
   */
  #surplus(user: Uint8Array | undefined): number {
    if (user === undefined || user.length === 0) return 0;
    return this.#sessions.users.count(user) + 1 - this.#limits.maxSessionsPerUser;
  }

  #hasFew(user: Uint8Array | undefined): boolean {
    return user !== undefined && this.#sessions.users.count(user) <= FEW;
  }

  /**
   * The sessions of a user that have to go, the longest held first. Of few, each is looked at; of many, the lists are
   * up to date.
   */
  #oldest(user: Uint8Array | undefined): number[] {
    const surplus = this.#surplus(user);
    if (user === undefined || surplus <= 0) return [];
    const { view } = this.#sessions.table;
    const isFew = this.#hasFew(user);
    const held: number[] = [];
    for (const slot of this.#sessions.slots(user)) {
      if (!isFew && held.length === surplus) return held;
      const isHeld = !isFew || this.#endings.alive({ slot, generation: view.generation(slot) }, false) !== 0;
      if (isHeld) held.push(slot);
    }
    return held.slice(0, Math.max(0, held.length + 1 - this.#limits.maxSessionsPerUser));
  }

  #fits(slots: number, bytes: number): boolean {
    const { table } = this.#sessions;
    return (
      table.slotsFree >= slots && (bytes <= 0 || table.dataBytes + table.pinnedBytes + bytes <= this.#limits.maxBytes)
    );
  }
}
