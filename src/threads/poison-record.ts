/**
 * Which record managers die of, if any: judged from what the last ones were at when they died. Runs in the thread that
 * started the manager.
 */

import { HEADER, WORK } from '../protocol/layout.js';

/** What a manager was at when it died. */
interface LastWork {
  readonly at: number;
  readonly slot: number;
  readonly connection: number;
  readonly call: number;
}

export class PoisonRecord {
  readonly #header: Int32Array;
  #last: LastWork | undefined;
  /** The slot of a record that two managers in a row have died of, at the same: it shall not meet a third. -1: none. */
  slot = -1;

  constructor(header: Int32Array) {
    this.#header = header;
  }

  /** A manager died, by its own doing or ended from outside: who is ended from outside dies of nothing that he did. */
  died(byItself: boolean): void {
    const word = (at: number) => this.#header[at] as number;
    const [at, slot] = [word(HEADER.workAt), word(HEADER.workSlot)];
    const work = { at, slot, connection: word(HEADER.workConnection), call: word(HEADER.workCall) };
    const last = this.#last;
    this.#last = undefined;
    if (!byItself || at === WORK.nothing || slot === 0) return;
    const isSameCall = last?.connection === work.connection && last.call === work.call;
    if (last?.at === at && last.slot === slot && (at === WORK.recovery || isSameCall)) this.slot = slot - 1;
    else this.#last = work;
  }

  /** A manager came up: whom it was told to set aside, it has. */
  clear(): void {
    this.slot = -1;
  }
}
