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
import type { SessionContext, Watched } from '../session/context.js';
import type { EndReason } from '../types/types.js';
import { Lookout, type Surroundings } from './lookout.js';
import { Retry } from './retry.js';

/** Sessions that are asked for again in one turn: while calls are refused for overload, most are refused again. */
const ASKED_AT_ONCE = 1000;

const nothing = (): undefined => undefined;

/** Why no manager tells of endings any more: it has failed for good, was stopped, or this thread is not connected. */
export type EndOfWatching = 'failed' | 'stopped' | 'disconnected';

export class Watching {
  readonly #handles: Handles;
  readonly #connection: Pick<Connection, 'call'>;
  readonly #surroundings: Surroundings;
  /** Sessions of which the manager may not know that they are watched here. */
  readonly #unheard = new Set<Watched>();
  readonly #retry = new Retry(() => this.#askAgain());
  /** Once the manager has failed for good. */
  #lookout: Lookout | undefined;
  /** Once nothing is noticed any more. */
  #left: 'stopped' | 'disconnected' | undefined;

  constructor(
    handles: Handles,
    connection: Pick<Connection, 'call'>,
    { view, now }: SessionContext,
    isClockManual: boolean,
  ) {
    this.#handles = handles;
    this.#connection = connection;
    this.#surroundings = {
      header: view.header,
      now,
      isClockManual,
      watched: () => handles.allWatched(),
      over: ({ slot, generation }) => this.tellOver(slot, generation, undefined),
      left: (reason) => this.end(reason),
    };
  }

  watch(session: Watched): void {
    if (this.#left !== undefined) {
      session.forsake(this.#left);
      return;
    }
    this.#handles.watch(session);
    if (this.#lookout === undefined) this.#ask(session);
    else this.#lookout.watch(session);
  }

  #ask(session: Watched): void {
    void this.#connection
      .call(CALL.watch, (to) => writeTarget(to, session), nothing)
      .then((answer) => {
        if (!(answer instanceof Refused)) this.#retry.succeeded();
        else if (answer.code === 'ERR_SESSION_ENDED') this.tellOver(session.slot, session.generation, undefined);
        else if (this.#handles.isWatched(session) && this.#lookout === undefined) {
          this.#unheard.add(session);
          this.#retry.schedule();
        }
      });
  }

  #askAgain(): void {
    let asked = 0;
    for (const session of this.#unheard) {
      if (++asked > ASKED_AT_ONCE) break;
      this.#unheard.delete(session);
      if (!this.#handles.isWatched(session)) continue;
      if (session.alive) this.#ask(session);
      else this.tellOver(session.slot, session.generation, undefined);
    }
    if (this.#unheard.size > 0) this.#retry.schedule();
  }

  /** The sessions whose signal is in use here, as pairs of slot and generation. */
  get watched(): Int32Array {
    return this.#handles.watched;
  }

  /** Sessions watched here have ended while no manager could tell: slot, generation, place in REASONS or -1. */
  tellAllOver(sessions: Int32Array): void {
    for (let i = 0; i + 2 < sessions.length; i += 3) {
      this.tellOver(sessions[i] as number, sessions[i + 1] as number, REASONS[sessions[i + 2] as number]);
    }
  }

  /** A session that this thread watches is over. */
  tellOver(slot: number, generation: number, reason: EndReason | undefined): void {
    this.#handles.unwatch(slot, generation)?.over(reason);
  }

  /** No manager tells this thread of endings any more. */
  end(why: EndOfWatching): void {
    if (this.#left !== undefined) return;
    const { header } = this.#surroundings;
    this.#retry.end();
    this.#unheard.clear();
    if (why === 'failed') {
      if (this.#lookout !== undefined) return;
      this.#lookout = new Lookout(this.#surroundings);
      for (const session of this.#handles.allWatched()) this.#lookout.watch(session);
      return;
    }
    // First: a listener that uses another session's signal finds how things stand.
    this.#left = why;
    // Where the manager had failed, the lookouts of other threads learn from this that it was stopped after all.
    if (why === 'stopped') Atomics.compareExchange(header, HEADER.status, STATUS.failed, STATUS.stopped);
    this.#lookout?.end();
    for (const session of this.#handles.allWatched()) {
      this.#handles.unwatch(session.slot, session.generation);
      if (session.alive) session.forsake(why);
      else session.over(undefined);
    }
  }
}
