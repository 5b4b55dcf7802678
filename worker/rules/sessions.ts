/**
 * What the manager knows of the live sessions beside the table: whose they are, when they are due, which connection
 * they are linked to. All of it can be rebuilt from the table, and there is no object per session. Manager's thread.
 */

import { type ByteWriter, sameBytes } from '../../src/protocol/bytes.js';
import type { Target } from '../../src/protocol/calls.js';
import { COUNTER, ENDED, HEADER } from '../../src/protocol/layout.js';
import { REASONS, type Reason, writeInfo } from '../../src/protocol/notices.js';
import { SessionRecord } from '../../src/protocol/record.js';
import { sameDigest } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { TableWriter } from '../table/table.js';
import { SlotHeap } from './slot-heap.js';
import { Users } from './users.js';

const NO_USER = new Uint8Array(0);

export class Sessions {
  readonly table: TableWriter;
  /** For what a method reads on its own. */
  readonly #record = new SessionRecord();
  /** For a comparison of users, which may happen in the middle of any other method. */
  readonly #compared = new SessionRecord();
  readonly users: Users;
  /** When each session has to be checked again. */
  readonly due: SlotHeap;
  /** Slots of the sessions that end with a connection. */
  readonly #linked = new Map<number, Set<number>>();
  live = 0;
  /** How many sessions have ended, including those not freed yet. */
  readonly ended: Record<Reason, number>;

  constructor(table: TableWriter) {
    const { maxSessions } = table.view.shape;
    this.table = table;
    this.users = new Users(maxSessions, table.view.header[HEADER.scatterA] as number, {
      belongsTo: (slot, user) => this.#belongsTo(slot, user),
      userOf: (slot) => (this.loadTexts(slot, this.#record) === 0 ? NO_USER : this.#record.user),
    });
    this.due = new SlotHeap(maxSessions);
    this.ended = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<Reason, number>;
  }

  /** Sessions ever created. */
  get created(): number {
    return this.table.counters[COUNTER.created] as number;
  }

  /** True if a slot has a session that has not ended; its timeout may have passed. */
  isOpen(slot: number): boolean {
    return this.table.view.pointer(slot) !== 0 && this.table.view.mark(slot) !== ENDED;
  }

  /** True if the target's session is the one in its slot, and has not ended; its timeout may have passed. */
  isTarget(target: Target): boolean {
    return (
      target.slot < this.table.view.shape.maxSessions &&
      this.table.view.generation(target.slot) === target.generation &&
      this.isOpen(target.slot)
    );
  }

  /** Loads header, user and client of the record in a slot; returns the pointer. */
  loadTexts(slot: number, into: SessionRecord): number {
    const { view } = this.table;
    const pointer = view.load(slot, into);
    if (pointer !== 0) view.copyBehindHeader(pointer, into, into.dataStart);
    return pointer;
  }

  #belongsTo(slot: number, user: Uint8Array): boolean {
    const record = this.#compared;
    const { view } = this.table;
    const pointer = view.load(slot, record);
    if (pointer === 0 || record.userBytes !== user.length) return false;
    return (
      view.copyBehindHeader(pointer, record, record.dataStart - record.clientBytes) && sameBytes(record.user, user)
    );
  }

  /** The slot of the open session with this digest, current or previous; -1 if there is none. */
  byDigest(digest: Int32Array): number {
    const { view } = this.table;
    const record = this.#record;
    const matches = (slot: number) => {
      if (!this.isOpen(slot) || view.load(slot, record) === 0) return false;
      return sameDigest(record.digest, digest) || (record.hasPrevious && sameDigest(record.previousDigest, digest));
    };
    const keyA = digest[0] as number;
    const keyB = digest[1] as number;
    const slot = view.find('digests', keyA, keyB, matches);
    return slot >= 0 || this.table.previous.isUntouched ? slot : view.find('previous', keyA, keyB, matches);
  }

  /** The slot of the open session with this id; -1 if there is none. */
  byId(id: Int32Array): number {
    const { view } = this.table;
    const record = this.#record;
    return view.find('ids', id[0] as number, id[1] as number, (slot) => {
      return this.isOpen(slot) && view.load(slot, record) !== 0 && sameDigest(record.id, id);
    });
  }

  /** One user's slots, oldest first; or all slots that were ever allocated. */
  *slots(user: Uint8Array | undefined): Iterable<number> {
    if (user === undefined) {
      const end = this.table.slotsTouched;
      for (let slot = 0; slot < end; slot++) yield slot;
      return;
    }
    yield* this.users.walk(user);
  }

  /** Adds a session whose record was just published. */
  add(record: SessionRecord): void {
    const { slot } = record;
    this.live++;
    this.table.count(COUNTER.created);
    this.table.dataBytes += record.dataBytes;
    if (record.userBytes > 0) this.users.add(record.user, slot);
    if (record.linkedTo !== 0) this.#link(record.linkedTo, slot);
    this.schedule(record, record.createdAt);
  }

  /**
   * Adds the session that a recovery found, given its whole record. The users' lists are built when all sessions are
   * found.
   */
  restore(record: SessionRecord): void {
    const { view } = this.table;
    const { slot } = record;
    this.live++;
    this.table.slotsInUse++;
    this.table.dataBytes += record.dataBytes;
    if (record.linkedTo !== 0) this.#link(record.linkedTo, slot);
    this.schedule(record, view.seen(record, view.mark(slot)));
    if (record.userBytes > 0) this.users.restore(record.user, slot);
  }

  /**
   * Reads the counters from the table. If a manager died between publishing a session and counting it, the count is
   * corrected.
   */
  recount(): void {
    const { table } = this;
    let ended = 0;
    REASONS.forEach((reason, place) => {
      this.ended[reason] = table.counters[COUNTER.ended + place] as number;
      ended += this.ended[reason];
    });
    table.owner.check();
    table.counters[COUNTER.created] = Math.max(this.created, this.live + ended);
  }

  /** Notes when a session, last seen at `seen`, has to be checked again: when its timeout passes, if it has one. */
  schedule(record: SessionRecord, seen: number): void {
    const endsAt = record.endsAt(seen);
    if (endsAt === Number.POSITIVE_INFINITY) this.due.remove(record.slot);
    else this.due.put(record.slot, endsAt);
  }

  /** Reads when a session was last seen, and schedules it by that. */
  reschedule(slot: number): void {
    const { view } = this.table;
    const record = this.#record;
    if (view.load(slot, record) !== 0) this.schedule(record, view.seen(record, view.mark(slot)));
  }

  /** Removes an ended session from every list, and frees its slot and its record, which lies at `pointer`. */
  remove(record: SessionRecord, pointer: number): void {
    const { slot } = record;
    this.due.remove(slot);
    if (record.userBytes > 0) this.users.remove(slot);
    if (record.linkedTo !== 0) this.#unlink(record.linkedTo, slot);
    this.table.dataBytes -= record.dataBytes;
    failpoint('free: out of the lists');
    this.table.release(record, pointer);
  }

  /** Writes what listeners may learn of a session, given its record with user and client. */
  writeInfo(to: ByteWriter, record: SessionRecord, mark: number): void {
    const lastSeenAt = mark === ENDED ? record.createdAt : this.table.view.seen(record, mark);
    writeInfo(to, record.id, {
      user: record.user,
      client: record.client,
      createdAt: record.createdAt,
      lastSeenAt,
      endsAt: record.endsAt(lastSeenAt),
      authenticatedAt: record.authenticatedAt,
      tokenIssuedAt: record.tokenIssuedAt,
      version: record.version,
    });
  }

  #link(connection: number, slot: number): void {
    const slots = this.#linked.get(connection);
    if (slots) slots.add(slot);
    else this.#linked.set(connection, new Set([slot]));
  }

  #unlink(connection: number, slot: number): void {
    const slots = this.#linked.get(connection);
    slots?.delete(slot);
    if (slots?.size === 0) this.#linked.delete(connection);
  }

  /** The connections that sessions are linked to. */
  get linkedConnections(): number[] {
    return [...this.#linked.keys()];
  }

  /** The slots linked to a connection; slots may be removed during the iteration. */
  linkedTo(connection: number): Iterable<number> {
    return this.#linked.get(connection) ?? [];
  }
}
