/**
 * Noticing how sessions end when no manager will tell of it any more: from shared memory and by the time. Runs in every
 * thread of the host.
 *
 * Once the manager has failed for good, sessions end by time alone, and touches still lengthen them. Each watched
 * session has a timer for when it ends if it is not seen again; when it fires, it is looked whether the session was. A
 * manual clock moves no timers: with one, all watched sessions are looked at, again and again in real time.
 */

import { HEADER, STATUS } from '../protocol/layout.js';
import type { WatchedSession } from '../session/context.js';
import { LONGEST_TIMER } from '../validation/durations.js';

/** How often, in real milliseconds, shared memory is looked at. */
const POLL_EVERY = 100;

/** What the table and the clock say, and who is told. */
export interface EndDetectorHost {
  readonly header: Int32Array;
  readonly now: () => number;
  readonly isClockManual: boolean;
  /** The sessions that are watched; those that are over are taken out while it is iterated over. */
  readonly watched: () => Iterable<WatchedSession>;
  /** This session has ended. */
  readonly ended: (session: WatchedSession) => void;
  /** This thread will not even notice by itself: the manager was stopped, or lives on without this thread. */
  readonly stopped: (reason: 'stopped' | 'disconnected') => void;
}

export class EndDetector {
  readonly #host: EndDetectorHost;
  readonly #beat: number;
  readonly #timers = new Map<WatchedSession, NodeJS.Timeout>();
  #polling: NodeJS.Timeout | undefined;

  constructor(host: EndDetectorHost) {
    this.#host = host;
    this.#beat = Atomics.load(host.header, HEADER.heartbeat);
  }

  watch(session: WatchedSession): void {
    this.#polling ??= setInterval(() => this.#poll(), POLL_EVERY).unref();
    this.#check(session);
  }

  /** Says that a session is over, or looks again when it will be unless it is seen. */
  #check(session: WatchedSession): void {
    const { isClockManual, now, ended } = this.#host;
    clearTimeout(this.#timers.get(session));
    this.#timers.delete(session);
    if (!session.alive) {
      ended(session);
      return;
    }
    const { expiresAt } = session;
    if (isClockManual || expiresAt === undefined) return;
    const delay = Math.min(Math.max(expiresAt.getTime() - now(), 1), LONGEST_TIMER);
    this.#timers.set(session, setTimeout(() => this.#check(session), delay).unref());
  }

  #poll(): void {
    const { header, isClockManual, watched, ended, stopped } = this.#host;
    // Two beats, as one may have been on its way when the port closed.
    const beats = (Atomics.load(header, HEADER.heartbeat) - this.#beat) | 0;
    if (Atomics.load(header, HEADER.status) === STATUS.stopped) stopped('stopped');
    else if (beats > 1) stopped('disconnected');
    else {
      let isIdle = true;
      for (const session of watched()) {
        isIdle = false;
        if (!isClockManual) break;
        if (!session.alive) ended(session);
      }
      if (isIdle) this.#stopPolling();
    }
  }

  #stopPolling(): void {
    clearInterval(this.#polling);
    this.#polling = undefined;
  }

  end(): void {
    this.#stopPolling();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
