/**
 * Capacity: whether the limits admit another session or more data, and which sessions end to make that possible.
 * Manager's thread.
 */

import type { Refusal } from '../../src/protocol/calls.js';
import { SessionRecord } from '../../src/protocol/record.js';
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
 * Work that has to be done before the limits can be judged. The rule is asked again afterwards, unless the work results
 * in a refusal.
 */
export type CapacityWork = Steps<Refusal | undefined>;

/** Up to this many sessions of one user are checked one by one for whether their time is over. */
const FEW = 1000;

export class Capacity {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #limits: Limits;
  readonly #record = new SessionRecord();

  constructor(sessions: Sessions, endings: Endings, limits: Limits) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#limits = limits;
  }

  /**
   * Checks that the limits admit `slots` more slots, `bytes` more bytes, and one more session of `user` if one is
   * given. Ends sessions for that if the options say so, or refuses; a refusal ends no session. `except` is the slot of
   * the session that grows, which is not ended; -1 for a new session.
   */
  admit(
    user: Uint8Array | undefined,
    slots: number,
    bytes: number,
    except: number,
  ): Refusal | CapacityWork | undefined {
    const hasCapacity = () => this.#surplus(user) <= 0 && this.#fits(slots, bytes);
    if (hasCapacity()) return undefined;
    this.#sessions.table.unpin();
    const isKnown = this.#fits(slots, bytes) && this.#hasFew(user);
    // Only as much work as this call needs: if a million sessions are over at one moment, a new session must not wait
    // until all of them are freed.
    if (!isKnown && this.#endings.isUnsettled) return this.#settling(hasCapacity);
    const { table } = this.#sessions;
    const oldest = this.#oldest(user);
    if (oldest.length > 0 && this.#limits.whenOverLimit === 'reject') return 'ERR_SESSION_LIMIT';
    let freed = 0;
    for (const slot of oldest) if (table.view.load(slot, this.#record) !== 0) freed += this.#record.dataBytes;
    const evicts = this.#limits.whenFull === 'end-longest-idle';
    if (!evicts && !this.#fits(slots - oldest.length, bytes - freed)) return 'ERR_TABLE_FULL';
    for (const slot of oldest) this.#endings.end(slot, 'over-limit');
    return this.#fits(slots, bytes) ? undefined : this.#evicting(slots, bytes, except);
  }

  *#settling(hasCapacity: () => boolean): CapacityWork {
    yield* this.#endings.settling(hasCapacity);
    return undefined;
  }

  *#evicting(slots: number, bytes: number, except: number): CapacityWork {
    const { pace } = this.#sessions.table;
    while (!this.#fits(slots, bytes)) {
      const isEnded = yield* this.#endings.endLongestIdle(except);
      if (!isEnded) return 'ERR_TABLE_FULL';
      if (pace.isOver) yield;
    }
    return undefined;
  }

  /**
   * By how many sessions a user would exceed the limit with one more. Sessions that are over but not freed yet are
   * counted.
   */
  #surplus(user: Uint8Array | undefined): number {
    if (user === undefined || user.length === 0) return 0;
    return this.#sessions.users.count(user) + 1 - this.#limits.maxSessionsPerUser;
  }

  #hasFew(user: Uint8Array | undefined): boolean {
    return user !== undefined && this.#sessions.users.count(user) <= FEW;
  }

  /**
   * The sessions of a user that have to end, oldest first. If the user has few sessions, each is checked for whether it
   * is alive; if many, the lists are up to date, as `admit` has settled them first.
   */
  #oldest(user: Uint8Array | undefined): number[] {
    const surplus = this.#surplus(user);
    if (user === undefined || surplus <= 0) return [];
    const { view } = this.#sessions.table;
    const isFew = this.#hasFew(user);
    const alive: number[] = [];
    for (const slot of this.#sessions.slots(user)) {
      if (!isFew && alive.length === surplus) return alive;
      const isAlive =
        !isFew || this.#endings.loadOrEnd({ slot, generation: view.generation(slot) }, this.#record) !== 0;
      if (isAlive) alive.push(slot);
    }
    return alive.slice(0, Math.max(0, alive.length + 1 - this.#limits.maxSessionsPerUser));
  }

  #fits(slots: number, bytes: number): boolean {
    const { table } = this.#sessions;
    return (
      table.slotsFree >= slots && (bytes <= 0 || table.dataBytes + table.pinnedBytes + bytes <= this.#limits.maxBytes)
    );
  }
}
