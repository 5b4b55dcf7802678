/**
 * Fencing: only the manager whose epoch is in the table's header may write. The epoch is a fencing token. Manager's
 * thread.
 *
 * A manager that was given up for dead may wake later, out of a system call or a pause of its machine. The supervisor
 * has raised the epoch by then, so every write to shared memory is preceded by a check, immediately before its stores:
 * between the check and the store there is nothing at which a thread could block or V8 could stop it.
 */

import { HEADER } from '../../src/protocol/layout.js';

/** Another manager owns the table: this one was given up for dead, and stops without another write. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

export class Owner {
  readonly header: Int32Array;
  readonly epoch: number;

  constructor(header: Int32Array, epoch: number) {
    this.header = header;
    this.epoch = epoch;
  }

  /**
   * Throws `Fenced` unless this manager still owns the table. Atomic, so that the compiler cannot hoist the load out of
   * a loop.
   */
  check(): void {
    if (Atomics.load(this.header, HEADER.ownerEpoch) !== this.epoch) throwFenced();
  }

  /** Counts the heartbeat up. */
  beat(): void {
    this.check();
    Atomics.add(this.header, HEADER.heartbeat, 1);
  }
}

function throwFenced(): never {
  throw new Fenced('another manager owns the table');
}
