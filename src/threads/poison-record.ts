/**
 * Finds a poison record: one that kills every manager that processes it. Judged by what the last managers were working
 * on when they died. Runs in the thread that started the manager.
 */

import { HEADER, WORK } from '../protocol/layout.js';

/** What a manager was working on when it died. */
interface LastWork {
  readonly at: number;
  readonly slot: number;
  readonly connection: number;
  readonly call: number;
}

export class PoisonRecord {
  readonly #header: Int32Array;
  #last: LastWork | undefined;
  /**
   * The slot of a record that killed two managers in a row at the same work; the next manager sets it aside. -1 for
   * none.
   */
  slot = -1;

  constructor(header: Int32Array) {
    this.#header = header;
  }

  /**
   * A manager died. Its work is blamed only if it failed by itself: a manager that was ended from outside may have been
   * working on anything.
   */
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

  /** A manager is up: it has set the record aside that it was told to. */
  clear(): void {
    this.slot = -1;
  }
}
