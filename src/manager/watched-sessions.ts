/**
 * The watched sessions of this thread, those whose `signal` is in use: asks the manager to report their ends, and
 * passes the reports on. Runs in every thread of the host.
 *
 * If the manager refuses, it is asked again until it confirms. A call whose outcome is unknown may have been applied;
 * asking twice does no harm. `end` is called when the manager will report nothing any more.
 */

import { noFields } from '../calls/batch.js';
import type { Connection } from '../calls/connection.js';
import { Refused } from '../calls/refused.js';
import type { Handles } from '../lookup/handles.js';
import { CALL, writeTarget } from '../protocol/calls.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import { REASONS } from '../protocol/notices.js';
import type { WatchedSession } from '../session/context.js';
import type { EndReason } from '../types/types.js';
import { EndDetector, type EndDetectorHost } from './end-detector.js';

/** Sessions that are asked for again in one turn. While calls are refused for overload, most would be refused again. */
const ASKS_PER_TURN = 1000;

/**
 * Why the manager reports no ends any more: it has failed for good, was stopped, or is not connected to this thread.
 */
export type WatchEnd = 'failed' | 'stopped' | 'disconnected';

export class WatchedSessions {
  readonly #handles: Handles;
  readonly #connection: Pick<Connection, 'call'>;
  readonly #host: EndDetectorHost;
  /** Sessions that the manager has not confirmed yet. */
  readonly #unconfirmed = new Set<WatchedSession>();
  readonly #retry = new Retry(() => this.#askAgain());
  /** Defined once the manager has failed for good. */
  #endDetector: EndDetector | undefined;
  /** Defined once this thread does not learn of ends in any way. */
  #stopped: 'stopped' | 'disconnected' | undefined;

  constructor(
    handles: Handles,
    connection: Pick<Connection, 'call'>,
    { header, now }: Pick<EndDetectorHost, 'header' | 'now'>,
    isClockManual: boolean,
  ) {
    this.#handles = handles;
    this.#connection = connection;
    this.#host = {
      header,
      now,
      isClockManual,
      watched: () => handles.allWatched(),
      ended: ({ slot, generation }) => this.notifyEnded(slot, generation, undefined),
      stopped: (reason) => this.end(reason),
    };
  }

  watch(session: WatchedSession): void {
    if (this.#stopped !== undefined) {
      session.detach(this.#stopped);
      return;
    }
    this.#handles.watch(session);
    if (this.#endDetector === undefined) this.#ask(session);
    else this.#endDetector.watch(session);
  }

  #ask(session: WatchedSession): void {
    void this.#connection
      .call(CALL.watch, (to) => writeTarget(to, session), noFields)
      .then((answer) => {
        if (!(answer instanceof Refused)) this.#retry.succeeded();
        else if (answer.code === 'ERR_SESSION_ENDED') this.notifyEnded(session.slot, session.generation, undefined);
        else if (this.#handles.isWatched(session) && this.#endDetector === undefined) {
          this.#unconfirmed.add(session);
          this.#retry.schedule();
        }
      });
  }

  #askAgain(): void {
    let asked = 0;
    for (const session of this.#unconfirmed) {
      if (++asked > ASKS_PER_TURN) break;
      this.#unconfirmed.delete(session);
      if (!this.#handles.isWatched(session)) continue;
      if (session.alive) this.#ask(session);
      else this.notifyEnded(session.slot, session.generation, undefined);
    }
    if (this.#unconfirmed.size > 0) this.#retry.schedule();
  }

  /** The watched sessions, as pairs of slot and generation. */
  get watched(): Int32Array {
    return this.#handles.watched;
  }

  /** For sessions that ended while no manager could report it. Each is slot, generation, index in REASONS or -1. */
  notifyAllEnded(sessions: Int32Array): void {
    for (let i = 0; i + 2 < sessions.length; i += 3) {
      this.notifyEnded(sessions[i] as number, sessions[i + 1] as number, REASONS[sessions[i + 2] as number]);
    }
  }

  /** A watched session has ended. */
  notifyEnded(slot: number, generation: number, reason: EndReason | undefined): void {
    this.#handles.unwatch(slot, generation)?.markEnded(reason);
  }

  /** The manager reports no ends any more. */
  end(why: WatchEnd): void {
    if (this.#stopped !== undefined) return;
    const { header } = this.#host;
    this.#retry.end();
    this.#unconfirmed.clear();
    if (why === 'failed') {
      if (this.#endDetector !== undefined) return;
      this.#endDetector = new EndDetector(this.#host);
      for (const session of this.#handles.allWatched()) this.#endDetector.watch(session);
      return;
    }
    // Set first: an abort listener that uses another session's signal must find it.
    this.#stopped = why;
    // If the manager had failed before, the end detectors of other threads learn from this that it was stopped.
    if (why === 'stopped') Atomics.compareExchange(header, HEADER.status, STATUS.failed, STATUS.stopped);
    this.#endDetector?.end();
    for (const session of this.#handles.allWatched()) {
      this.#handles.unwatch(session.slot, session.generation);
      if (session.alive) session.detach(why);
      else session.markEnded(undefined);
    }
  }
}

const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1000;

/**
 * Calls `again` after a pause that doubles with each refusal, from 10 ms to 1 s. Its timer does not keep the thread
 * alive.
 */
export class Retry {
  readonly #again: () => void;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(again: () => void) {
    this.#again = again;
  }

  /** Schedules `again`, unless it is scheduled already or `end` was called. */
  schedule(): void {
    if (this.#isOver || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#again();
    }, this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  /** A call was done: the next pause is the shortest again. */
  succeeded(): void {
    this.#pause = FIRST_PAUSE;
  }

  /** Nothing is scheduled any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
