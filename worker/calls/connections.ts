/**
 * The manager's ends of the ports, and what is told through them: who listens to what, who watches which session, how
 * far each thread is behind. Manager's thread. A thread that does not read costs a bounded number of notices; what is
 * dropped beyond that is counted and told as a gap.
 */

import type { MessagePort } from 'node:worker_threads';
import { ByteWriter } from '../../src/protocol/bytes.js';
import { CONNECTION, type Target } from '../../src/protocol/calls.js';
import { NOTICE, type Reason, writeGap, writeOver } from '../../src/protocol/notices.js';
import type { Audience } from '../rules/notifier.js';
import type { Journal } from '../table/journal.js';
import { Pins } from '../table/pins.js';
import type { TableWriter } from '../table/table.js';
import { Queue } from './turns.js';

/** Events that a thread may be behind before more are dropped for it. */
const MOST_UNREAD = 16_384;

/** One caller thread's port, as the manager sees it. */
export class Connection {
  readonly number: number;
  readonly port: MessagePort;
  /** CONNECTION words, shared with the caller. */
  readonly words: Int32Array;
  readonly journal: Journal;
  /** Its batches, in their order. */
  readonly queue: Queue;
  /** The values that its answers hold. */
  readonly pins = new Pins();
  /** The call that a former manager was at when it died; undefined if none served this connection. */
  readonly inDoubt: number | undefined;
  /** Bits of the events it listens to. */
  events: number;
  readonly watched = new Set<number>();
  readonly #notices = new ByteWriter(256);
  #told: number;
  #missed: number;

  /** `isInherited`: whether a former manager served it. */
  constructor(
    number: number,
    port: MessagePort,
    words: Int32Array,
    journal: Journal,
    { queue = new Queue(), isInherited = false } = {},
  ) {
    this.number = number;
    this.port = port;
    this.words = words;
    this.journal = journal;
    this.queue = queue;
    this.inDoubt = isInherited ? Atomics.load(words, CONNECTION.begun) : undefined;
    // A thread that is blocked while one manager follows another is behind as far as it was, and is told of no less.
    this.events = Atomics.load(words, CONNECTION.listensTo);
    this.#told = Atomics.load(words, CONNECTION.eventsSent);
    this.#missed = Atomics.load(words, CONNECTION.eventsMissed) >>> 0;
  }

  /** Up to which call the answers have arrived, or are waited for no longer. */
  get settled(): number {
    return Atomics.load(this.words, CONNECTION.settled);
  }

  #unread(): number {
    return (this.#told - Atomics.load(this.words, CONNECTION.eventsRead)) | 0;
  }

  listenTo(events: number): void {
    this.events = events;
    Atomics.store(this.words, CONNECTION.listensTo, events);
  }

  /** Appends an event, unless the thread is too far behind. */
  tell(notice: Uint8Array): void {
    if (this.#unread() >= MOST_UNREAD) {
      Atomics.store(this.words, CONNECTION.eventsMissed, ++this.#missed);
      return;
    }
    this.tellGap();
    this.#notices.raw(notice);
    this.#told++;
  }

  /** Tells how many events were dropped, once there is room again. */
  tellGap(): void {
    if (this.#missed === 0 || this.#unread() >= MOST_UNREAD / 2) return;
    writeGap(this.#notices, this.#missed);
    this.#missed = 0;
  }

  over(target: Target, reason: Reason): void {
    writeOver(this.#notices, target, reason);
  }

  flush(): void {
    if (this.#notices.length === 0) return;
    const { buffer } = this.#notices.copy();
    this.#notices.reset();
    this.port.postMessage({ notices: buffer }, [buffer]);
    Atomics.store(this.words, CONNECTION.eventsSent, this.#told);
    Atomics.store(this.words, CONNECTION.eventsMissed, this.#missed);
  }
}

export class Connections implements Audience {
  readonly #all = new Map<MessagePort, Connection>();
  readonly #watchers = new Map<number, Set<Connection>>();
  readonly #notice = new ByteWriter(1024);
  wanted = 0;

  get count(): number {
    return this.#all.size;
  }

  get queues(): Queue[] {
    return [...this.#all.values()].map(({ queue }) => queue);
  }

  add(connection: Connection): Connection {
    this.#all.set(connection.port, connection);
    this.#count();
    return connection;
  }

  /** Gives up all values whose answers have arrived, or are waited for no longer. */
  unpin(table: TableWriter): void {
    for (const { pins, settled } of this.#all.values()) pins.releaseUpTo(table, settled);
  }

  /** Closes the port to a thread that is gone; what follows is as if it had closed by itself. */
  closeNumber(number: number): void {
    for (const connection of this.#all.values()) if (connection.number === number) connection.port.close();
  }

  /** Forgets a connection and all that was kept for it. */
  remove(connection: Connection): void {
    this.#all.delete(connection.port);
    for (const slot of connection.watched) this.#unwatch(slot, connection);
    this.#count();
  }

  subscribe(connection: Connection, events: number): void {
    connection.listenTo(events);
    this.#count();
  }

  #count(): void {
    this.wanted = 0;
    for (const connection of this.#all.values()) this.wanted |= connection.events;
  }

  watch(connection: Connection, slot: number): void {
    connection.watched.add(slot);
    const watchers = this.#watchers.get(slot);
    if (watchers) watchers.add(connection);
    else this.#watchers.set(slot, new Set([connection]));
  }

  #unwatch(slot: number, connection: Connection): void {
    const watchers = this.#watchers.get(slot);
    watchers?.delete(connection);
    if (watchers?.size === 0) this.#watchers.delete(slot);
  }

  tell(bit: number, write: (to: ByteWriter) => void): void {
    const notice = this.#notice;
    notice.reset();
    notice.u8(NOTICE.event);
    const lengthAt = notice.reserve(4);
    notice.u8(bit);
    write(notice);
    notice.view.setUint32(lengthAt, notice.length - lengthAt - 4, true);
    const bytes = notice.bytes.subarray(0, notice.length);
    for (const connection of this.#all.values()) if (connection.events & bit) connection.tell(bytes);
  }

  over(target: Target, reason: Reason): void {
    const watchers = this.#watchers.get(target.slot);
    if (watchers === undefined) return;
    this.#watchers.delete(target.slot);
    for (const connection of watchers) {
      connection.watched.delete(target.slot);
      connection.over(target, reason);
    }
  }

  watched(): readonly number[] {
    return [...this.#watchers.keys()];
  }

  /** Sends what was appended. */
  flush(): void {
    for (const connection of this.#all.values()) {
      connection.tellGap();
      connection.flush();
    }
  }

  closeAll(): void {
    for (const connection of this.#all.values()) connection.port.close();
    this.#all.clear();
  }
}
