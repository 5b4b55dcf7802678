/** The sessions whose end this thread wants to know of: asking the manager for that, and hearing it. Runs in every thread of the host. */

import type { Connection } from './connection.js';
import type { Handles } from './handles.js';
import { CALL, writeTarget } from './protocol/calls.js';
import { REASONS } from './protocol/notices.js';
import { Refused } from './refused.js';
import type { Watched } from './session-context.js';
import type { EndReason } from './types.js';

const nothing = (): undefined => undefined;

export class Watching {
  readonly #handles: Handles;
  readonly #connection: Connection;

  constructor(handles: Handles, connection: Connection) {
    this.#handles = handles;
    this.#connection = connection;
  }

  watch(handle: Watched): void {
    this.#handles.watch(handle);
    void this.#connection
      .call(CALL.watch, (to) => writeTarget(to, handle), nothing)
      .then((answer) => {
        if (answer instanceof Refused && answer.code === 'ERR_SESSION_ENDED') {
          this.tellOver(handle.slot, handle.generation, undefined);
        }
      });
  }

  /** The sessions whose signal is in use here, as pairs of slot and generation. */
  get watched(): Int32Array {
    return this.#handles.watched;
  }

  /** Sessions that this thread watches have ended while no manager could tell: slot, generation, place in REASONS or -1. */
  tellAllOver(sessions: Int32Array): void {
    for (let i = 0; i + 2 < sessions.length; i += 3) {
      this.tellOver(sessions[i] as number, sessions[i + 1] as number, REASONS[sessions[i + 2] as number]);
    }
  }

  /** A session that this thread watches is over. */
  tellOver(slot: number, generation: number, reason: EndReason | undefined): void {
    this.#handles.unwatch(slot, generation)?.over(reason);
  }
}
