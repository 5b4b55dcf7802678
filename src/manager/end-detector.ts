/**
 * Detects the ends of watched sessions once no manager reports them: from shared memory and by time. Runs in every
 * thread of the host.
 *
 * When the manager has failed for good, sessions end by time alone, and touching them still extends them. Each watched
 * session has a timer for the time at which it would end; when the timer fires, the session is checked again. A manual
 * clock moves no timers: with one, all watched sessions are checked at a fixed interval of real time.
 */

import { HEADER, STATUS } from '../protocol/layout.js';
import type { WatchedSession } from '../session/context.js';
import { LONGEST_TIMER } from '../validation/durations.js';

/** How often shared memory is read, in real milliseconds. */
const POLL_EVERY = 100;

/** What the detector reads, and whom it tells. */
export interface EndDetectorHost {
  readonly header: Int32Array;
  readonly now: () => number;
  readonly isClockManual: boolean;
  /** The watched sessions. Ended ones are removed during the iteration. */
  readonly watched: () => Iterable<WatchedSession>;
  /** Called for each watched session that has ended. */
  readonly ended: (session: WatchedSession) => void;
  /**
   * Called when this thread cannot detect ends any more: the manager was stopped, or is alive but not connected to this
   * thread.
   */
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

  /** Reports a session that has ended; otherwise checks it again at the time at which it would end. */
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
    // Two beats prove that the manager is alive: one may have been under way when the port closed.
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
