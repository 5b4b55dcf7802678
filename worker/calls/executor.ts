/** Runs the batches of all connections in turns, and stops the manager when that is asked for. Manager's thread. */

import { setImmediate } from 'node:timers/promises';
import { ByteWriter } from '../../src/protocol/bytes.js';
import type { TableWriter } from '../table/table.js';
import { type BatchContext, BatchJob } from './batch.js';
import type { CallerConnection, Connections } from './connections.js';
import { Gauges } from './gauges.js';
import type { ManagerParts } from './parts.js';
import { Calls } from './perform.js';
import { Queue, Turns } from './turns.js';

export class Executor implements BatchContext {
  readonly turns: Turns;
  readonly table: TableWriter;
  readonly connections: Connections;
  readonly gauges = new Gauges();
  readonly calls: Calls;
  isStopped = false;
  readonly #parts: ManagerParts;
  #spare: ByteWriter | undefined;
  #stopping: Promise<void> | undefined;

  /** `later`: see `Turns`. */
  constructor(parts: ManagerParts, later?: (work: () => void) => void) {
    this.#parts = parts;
    this.connections = parts.connections;
    this.table = parts.sessions.table;
    this.table.unpin = () => parts.connections.unpin(this.table);
    this.turns = new Turns(this.table.pace, parts.die, later);
    this.calls = new Calls(parts, this.gauges);
  }

  /** Does a batch of calls. Returns a promise if it takes more than a step, or if others come before it. */
  execute(connection: CallerConnection, bytes: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer> {
    const batch = new BatchJob(this, connection, bytes);
    this.turns.add(connection.queue, batch);
    return batch.outcome();
  }

  acquireReply(): ByteWriter {
    const reply = this.#spare ?? new ByteWriter();
    this.#spare = undefined;
    reply.reset();
    return reply;
  }

  releaseReply(reply: ByteWriter): void {
    this.#spare = reply;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Stops after the batches that had arrived from other threads when the stop was asked for. */
  async #stop(): Promise<void> {
    await setImmediate();
    await setImmediate();
    await this.turns.settled(this.connections.queues);
    this.isStopped = true;
    this.gauges.close();
    await this.turns.do(new Queue(), () => this.#parts.stop());
  }
}
