/**
 * The sessions whose end this thread wants to know of: asking the manager for that, and hearing it. Runs in every
 * thread of the host.
 *
 * After a refusal the manager is asked again, until it knows. A call whose outcome is unknown may have been applied; to
 * ask twice does no harm. `end` is called when no manager will tell this thread of endings any more.
 */

import type { Connection } from '../calls/connection.js';
import { Refused } from '../calls/refused.js';
import type { Handles } from '../lookup/handles.js';
import { CALL, writeTarget } from '../protocol/calls.js';
import { HEADER, STATUS } from '../protocol/layout.js';
import { REASONS } from '../protocol/notices.js';
import type { SessionContext, WatchedSession } from '../session/context.js';
import type { EndReason } from '../types/types.js';
import { EndDetector, type EndDetectorHost } from './end-detector.js';

/** Sessions that are asked for again in one turn: while calls are refused for overload, most are refused again. */
const ASKS_PER_TURN = 1000;

const nothing = (): undefined => undefined;

/** Why no manager tells of endings any more: it has failed for good, was stopped, or this thread is not connected. */
export type WatchEnd = 'failed' | 'stopped' | 'disconnected';

export class WatchedSessions {
  readonly #handles: Handles;
  readonly #connection: Pick<Connection, 'call'>;
  readonly #host: EndDetectorHost;
  /** Sessions of which the manager may not know that they are watched here. */
  readonly #unconfirmed = new Set<WatchedSession>();
  readonly #retry = new Retry(() => this.#askAgain());
  /** Once the manager has failed for good. */
  #endDetector: EndDetector | undefined;
  /** Once nothing is noticed any more. */
  #left: 'stopped' | 'disconnected' | undefined;

  constructor(
    handles: Handles,
    connection: Pick<Connection, 'call'>,
    { view, now }: Pick<SessionContext, 'view' | 'now'>,
    isClockManual: boolean,
  ) {
    this.#handles = handles;
    this.#connection = connection;
    this.#host = {
      header: view.header,
      now,
      isClockManual,
      watched: () => handles.allWatched(),
      ended: ({ slot, generation }) => this.notifyEnded(slot, generation, undefined),
      stopped: (reason) => this.end(reason),
    };
  }

  watch(session: WatchedSession): void {
    if (this.#left !== undefined) {
      session.detach(this.#left);
      return;
    }
    this.#handles.watch(session);
    if (this.#endDetector === undefined) this.#ask(session);
    else this.#endDetector.watch(session);
  }

  #ask(session: WatchedSession): void {
    void this.#connection
      .call(CALL.watch, (to) => writeTarget(to, session), nothing)
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

  /** The sessions whose signal is in use here, as pairs of slot and generation. */
  get watched(): Int32Array {
    return this.#handles.watched;
  }

  /** Sessions watched here have ended while no manager could tell: slot, generation, place in REASONS or -1. */
  notifyAllEnded(sessions: Int32Array): void {
    for (let i = 0; i + 2 < sessions.length; i += 3) {
      this.notifyEnded(sessions[i] as number, sessions[i + 1] as number, REASONS[sessions[i + 2] as number]);
    }
  }

  /** A session that this thread watches is over. */
  notifyEnded(slot: number, generation: number, reason: EndReason | undefined): void {
    this.#handles.unwatch(slot, generation)?.markEnded(reason);
  }

  /** No manager tells this thread of endings any more. */
  end(why: WatchEnd): void {
    if (this.#left !== undefined) return;
    const { header } = this.#host;
    this.#retry.end();
    this.#unconfirmed.clear();
    if (why === 'failed') {
      if (this.#endDetector !== undefined) return;
      this.#endDetector = new EndDetector(this.#host);
      for (const session of this.#handles.allWatched()) this.#endDetector.watch(session);
      return;
    }
    // First: a listener that uses another session's signal finds how things stand.
    this.#left = why;
    // Where the manager had failed, the lookouts of other threads learn from this that it was stopped after all.
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

/** Runs `again` after a pause that doubles with each refusal. Its timer does not keep the thread alive. */
export class Retry {
  readonly #again: () => void;
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(again: () => void) {
    this.#again = again;
  }

  /** Schedules `again`, unless it is scheduled already or no more is asked. */
  schedule(): void {
    if (this.#isOver || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#again();
    }, this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  /** A call was done: the pause after the next refusal is the first again. */
  succeeded(): void {
    this.#pause = FIRST_PAUSE;
  }

  /** Nothing is asked any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
