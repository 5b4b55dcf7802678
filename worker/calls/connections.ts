/**
 * The manager's ends of the ports, and the notices that are sent through them: which thread listens to what, which
 * watches which session, how far each is behind. Manager's thread. A thread that does not read costs a bounded number
 * of notices; those beyond are dropped, counted, and reported as a gap.
 */

import type { MessagePort } from 'node:worker_threads';
import { ByteWriter } from '../../src/protocol/bytes.js';
import { CONNECTION, type Target } from '../../src/protocol/calls.js';
import { NOTICE, type Reason, writeGap, writeOver } from '../../src/protocol/notices.js';
import type { Notifier } from '../rules/notifier.js';
import type { Journal } from '../table/journal.js';
import { Pins } from '../table/pins.js';
import type { TableWriter } from '../table/table.js';
import { Queue } from './turns.js';

/** Events that a thread may be behind before further ones are dropped for it. */
const MOST_UNREAD = 16_384;

/** One caller thread's connection, as the manager sees it. */
export class CallerConnection {
  readonly number: number;
  readonly port: MessagePort;
  /** CONNECTION words, shared with the caller. */
  readonly words: Int32Array;
  readonly journal: Journal;
  /** Its batches, in order. */
  readonly queue: Queue;
  /** The values that its answers contain. */
  readonly pins = new Pins();
  /** The call that a former manager was doing when it died; undefined if no other manager served this connection. */
  readonly inDoubt: number | undefined;
  /** The events that it listens to, as bits. */
  events: number;
  readonly watched = new Set<number>();
  readonly #notices = new ByteWriter(256);
  #sent: number;
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
    // The counts continue: a thread that is blocked while a successor takes over is still as far behind as before.
    this.events = Atomics.load(words, CONNECTION.listensTo);
    this.#sent = Atomics.load(words, CONNECTION.eventsSent);
    this.#missed = Atomics.load(words, CONNECTION.eventsMissed) >>> 0;
  }

  /** Calls up to this number are answered or given up. */
  get settled(): number {
    return Atomics.load(this.words, CONNECTION.settled);
  }

  #unread(): number {
    return (this.#sent - Atomics.load(this.words, CONNECTION.eventsRead)) | 0;
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
    this.#sent++;
  }

  /** Appends how many events were dropped, once the thread has caught up. */
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
    Atomics.store(this.words, CONNECTION.eventsSent, this.#sent);
    Atomics.store(this.words, CONNECTION.eventsMissed, this.#missed);
  }
}

export class Connections implements Notifier {
  readonly #all = new Map<MessagePort, CallerConnection>();
  readonly #watchers = new Map<number, Set<CallerConnection>>();
  readonly #notice = new ByteWriter(1024);
  wanted = 0;

  get count(): number {
    return this.#all.size;
  }

  get queues(): Queue[] {
    return [...this.#all.values()].map(({ queue }) => queue);
  }

  add(connection: CallerConnection): CallerConnection {
    this.#all.set(connection.port, connection);
    this.#updateWanted();
    return connection;
  }

  /** Releases the pinned values of all calls that are answered or given up. */
  unpin(table: TableWriter): void {
    for (const { pins, settled } of this.#all.values()) pins.releaseUpTo(table, settled);
  }

  /** Closes the port to a thread that is gone; the rest happens as if the thread had closed it. */
  closeNumber(number: number): void {
    for (const connection of this.#all.values()) if (connection.number === number) connection.port.close();
  }

  /** Removes a connection and everything stored for it. */
  remove(connection: CallerConnection): void {
    this.#all.delete(connection.port);
    for (const slot of connection.watched) this.#unwatch(slot, connection);
    this.#updateWanted();
  }

  subscribe(connection: CallerConnection, events: number): void {
    connection.listenTo(events);
    this.#updateWanted();
  }

  #updateWanted(): void {
    this.wanted = 0;
    for (const connection of this.#all.values()) this.wanted |= connection.events;
  }

  watch(connection: CallerConnection, slot: number): void {
    connection.watched.add(slot);
    const watchers = this.#watchers.get(slot);
    if (watchers) watchers.add(connection);
    else this.#watchers.set(slot, new Set([connection]));
  }

  #unwatch(slot: number, connection: CallerConnection): void {
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
