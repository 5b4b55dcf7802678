/**
 * Who may write the table: the manager whose epoch lies in its header. Manager's thread.
 *
 * A manager that was given up for dead may wake later: out of a system call, or out of a pause of its machine. The
 * supervisor has raised the epoch by then, so whatever writes shared memory asks here first, immediately before its
 * stores: between the question and the store stands nothing at which a thread could block or V8 could stop it.
 */

import { HEADER } from '../../src/protocol/layout.js';

/** A manager that finds another's number in the table was given up for dead, and stops without another write. */
export class Deposed extends Error {
  override readonly name = 'Deposed';
}

export class Owner {
  readonly header: Int32Array;
  readonly epoch: number;

  constructor(header: Int32Array, epoch: number) {
    this.header = header;
    this.epoch = epoch;
  }

  /** Throws `Deposed` unless this manager still owns the table. Atomic, so that no loop reads it but once. */
  check(): void {
    if (Atomics.load(this.header, HEADER.ownerEpoch) !== this.epoch) depose();
  }

  /** Says that this manager lives. */
  beat(): void {
    this.check();
    Atomics.add(this.header, HEADER.heartbeat, 1);
  }
}

function depose(): never {
  throw new Deposed('another manager owns the table');
}
