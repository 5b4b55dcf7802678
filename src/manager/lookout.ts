/**
 * Noticing how sessions end when no manager will tell of it any more: from shared memory and by the time. Runs in every
 * thread of the host.
 *
 * Once the manager has failed for good, sessions end by time alone, and touches still lengthen them. Each watched
 * session has a timer for when it ends if it is not seen again; when it fires, it is looked whether the session was. A
 * manual clock moves no timers: with one, all watched sessions are looked at, again and again in real time.
 */

import { HEADER, STATUS } from '../protocol/layout.js';
import type { Watched } from '../session/context.js';

/** How often, in real milliseconds, shared memory is looked at. */
const LOOK_EVERY = 100;
/** The longest delay that `setTimeout` takes. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** What the table and the clock say, and who is told. */
export interface Surroundings {
  readonly header: Int32Array;
  readonly now: () => number;
  readonly isClockManual: boolean;
  /** The sessions that are watched; those that are over are taken out while it is iterated over. */
  readonly watched: () => Iterable<Watched>;
  /** This session has ended. */
  readonly over: (session: Watched) => void;
  /** This thread will not even notice by itself: the manager was stopped, or lives on without this thread. */
  readonly left: (reason: 'stopped' | 'disconnected') => void;
}

export class Lookout {
  readonly #surroundings: Surroundings;
  readonly #beat: number;
  readonly #timers = new Map<Watched, NodeJS.Timeout>();
  #looking: NodeJS.Timeout | undefined;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#beat = Atomics.load(surroundings.header, HEADER.heartbeat);
  }

  watch(session: Watched): void {
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY).unref();
    this.#judge(session);
  }

  /** Says that a session is over, or looks again when it will be unless it is seen. */
  #judge(session: Watched): void {
    const { isClockManual, now, over } = this.#surroundings;
    clearTimeout(this.#timers.get(session));
    this.#timers.delete(session);
    if (!session.alive) {
      over(session);
      return;
    }
    const { expiresAt } = session;
    if (isClockManual || expiresAt === undefined) return;
    const delay = Math.min(Math.max(expiresAt.getTime() - now(), 1), LONGEST_DELAY);
    this.#timers.set(session, setTimeout(() => this.#judge(session), delay).unref());
  }

  #look(): void {
    const { header, isClockManual, watched, over, left } = this.#surroundings;
    // Two beats, as one may have been on its way when the port closed.
    const beats = (Atomics.load(header, HEADER.heartbeat) - this.#beat) | 0;
    if (Atomics.load(header, HEADER.status) === STATUS.stopped) left('stopped');
    else if (beats > 1) left('disconnected');
    else {
      let isIdle = true;
      for (const session of watched()) {
        isIdle = false;
        if (!isClockManual) break;
        if (!session.alive) over(session);
      }
      if (isIdle) this.#stopLooking();
    }
  }

  #stopLooking(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  end(): void {
    this.#stopLooking();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
