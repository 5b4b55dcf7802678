/**
 * The live sessions as the manager knows them beside the table: whose they are, when they are due, which thread they
 * depend on. All of it can be rebuilt from the table; no session has an object of its own here. Manager's thread.
 */

import type { ByteWriter } from '../../src/protocol/bytes.js';
import type { Target } from '../../src/protocol/calls.js';
import { COUNTER, ENDED, HEADER } from '../../src/protocol/layout.js';
import { REASONS, type Reason, writeInfo } from '../../src/protocol/notices.js';
import type { Head } from '../../src/protocol/record-header.js';
import { sameDigest, TableView } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import type { TableWriter } from '../table/table.js';
import { SlotHeap } from './slot-heap.js';
import { Users } from './users.js';

const NOBODY = new Uint8Array(0);

export class Sessions {
  readonly table: TableWriter;
  readonly #scan: TableView;
  readonly users: Users;
  /** When each session has to be looked at again. */
  readonly due: SlotHeap;
  /** Slots of sessions that end with a connection. */
  readonly #linked = new Map<number, Set<number>>();
  live = 0;
  /** Those that are not freed yet included. */
  readonly ended: Record<Reason, number>;

  constructor(table: TableWriter) {
    const { maxSessions } = table.view.shape;
    this.table = table;
    this.#scan = new TableView(table.memory);
    this.users = new Users(maxSessions, table.view.header[HEADER.scatterA] as number, {
      belongsTo: (slot, user) => this.#belongsTo(slot, user),
      userOf: (slot) => (this.load(slot) === 0 ? NOBODY : this.loadedUserBytes()),
    });
    this.due = new SlotHeap(maxSessions);
    this.ended = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<Reason, number>;
  }

  /** Sessions ever created. */
  get created(): number {
    return this.table.counters[COUNTER.created] as number;
  }

  get slotsTouched(): number {
    return this.table.view.header[HEADER.slotsTouched] as number;
  }

  /** True if a slot holds a session that has not ended; its time may be over. */
  isOpen(slot: number): boolean {
    return this.table.view.pointer(slot) !== 0 && this.table.view.mark(slot) !== ENDED;
  }

  /** True if the target is the session that its slot holds now, and that has not ended; its time may be over. */
  isTarget(target: Target): boolean {
    return (
      target.slot < this.table.view.shape.maxSessions &&
      this.table.view.generation(target.slot) === target.generation &&
      this.isOpen(target.slot)
    );
  }

  /** Loads head, user and client of what a slot holds; returns the pointer. */
  load(slot: number): number {
    const { view } = this.table;
    const pointer = view.load(slot, false);
    if (pointer !== 0) view.copyWords(pointer, 0, Math.ceil(view.head.dataStart / 4));
    return pointer;
  }

  /** The user of the record loaded last; a view, valid until the next load. */
  loadedUserBytes(): Uint8Array {
    const { head, bytes } = this.table.view;
    const start = head.words * 4;
    return bytes.subarray(start, start + head.userBytes);
  }

  loadedClientBytes(): Uint8Array {
    const { head, bytes } = this.table.view;
    const start = head.words * 4 + head.userBytes;
    return bytes.subarray(start, start + head.clientBytes);
  }

  /** Reads whose session a slot holds, and leaves what is loaded as it is. */
  #belongsTo(slot: number, user: Uint8Array): boolean {
    const scan = this.#scan;
    const pointer = scan.load(slot, false);
    if (pointer === 0 || scan.head.userBytes !== user.length) return false;
    const start = scan.head.words * 4;
    if (!scan.copyWords(pointer, 0, Math.ceil((start + user.length) / 4))) return false;
    const { bytes } = scan;
    for (let i = 0; i < user.length; i++) if (bytes[start + i] !== user[i]) return false;
    return true;
  }

  /** The slot of the open session with this digest, current or previous; -1 if there is none. */
  byDigest(digest: Int32Array): number {
    const { view } = this.table;
    const matches = (slot: number) => {
      if (!this.isOpen(slot) || view.load(slot, false) === 0) return false;
      const { head } = view;
      return sameDigest(head.digest, digest) || (head.hasPrevious && sameDigest(head.previousDigest, digest));
    };
    const keyA = digest[0] as number;
    const keyB = digest[1] as number;
    const slot = view.find('digests', keyA, keyB, matches);
    return slot >= 0 || this.table.previous.isUntouched ? slot : view.find('previous', keyA, keyB, matches);
  }

  /** The slot of the open session with this id; -1 if there is none. */
  byId(id: Int32Array): number {
    const { view } = this.table;
    return view.find('ids', id[0] as number, id[1] as number, (slot) => {
      return this.isOpen(slot) && view.load(slot, false) !== 0 && sameDigest(view.head.id, id);
    });
  }

  /** Slots in use: of one user, the longest held first; or all that were ever let. */
  *slots(user: Uint8Array | undefined): Iterable<number> {
    if (user === undefined) {
      const end = this.slotsTouched;
      for (let slot = 0; slot < end; slot++) yield slot;
      return;
    }
    yield* this.users.walk(user);
  }

  /** Enters a session whose record was just published. */
  add(slot: number, head: Head, user: Uint8Array, dataBytes: number): void {
    this.live++;
    this.table.count(COUNTER.created);
    this.table.dataBytes += dataBytes;
    if (user.length > 0) this.users.add(user, slot);
    if (head.linkedTo !== 0) this.#link(head.linkedTo, slot);
    this.schedule(slot, head, head.createdAt);
  }

  /**
   * Enters the session that was found in a slot, its whole record loaded. Its user's list is made when all are found.
   */
  restore(slot: number): void {
    const { view } = this.table;
    const { head } = view;
    const seen = view.seen(slot, view.mark(slot));
    this.live++;
    this.table.slotsLet++;
    this.table.dataBytes += head.dataBytes;
    if (head.linkedTo !== 0) this.#link(head.linkedTo, slot);
    this.schedule(slot, head, seen);
    if (head.userBytes > 0) this.users.restore(this.loadedUserBytes(), slot);
  }

  /** Takes the counters over from the table, where a session was perhaps published and not counted any more. */
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

  /** Says when a session, last seen at `seen`, has to be looked at again: when its time is over, if ever. */
  schedule(slot: number, head: Head, seen: number): void {
    const endsAt = head.endsAt(seen);
    if (endsAt === Number.POSITIVE_INFINITY) this.due.remove(slot);
    else this.due.put(slot, endsAt);
  }

  /** Reads when a session was last seen, and schedules it by that. */
  reschedule(slot: number): void {
    const { view } = this.table;
    if (view.load(slot, false) !== 0) this.schedule(slot, view.head, view.seen(slot, view.mark(slot)));
  }

  /** Strikes an ended session, whose record is loaded, from every list; its slot is free afterwards. */
  remove(pointer: number): void {
    const { head } = this.table.view;
    const { slot } = head;
    this.due.remove(slot);
    if (head.userBytes > 0) this.users.remove(slot);
    if (head.linkedTo !== 0) this.#unlink(head.linkedTo, slot);
    this.table.dataBytes -= head.dataBytes;
    failpoint('free: out of the lists');
    this.table.release(head, pointer);
  }

  /** Writes what listeners may know of the session whose record is loaded, with user and client. */
  writeInfo(to: ByteWriter, mark: number): void {
    const { head } = this.table.view;
    const lastSeenAt = mark === ENDED ? head.createdAt : this.table.view.seen(head.slot, mark);
    writeInfo(to, head.id, {
      user: this.loadedUserBytes(),
      client: this.loadedClientBytes(),
      createdAt: head.createdAt,
      lastSeenAt,
      endsAt: head.endsAt(lastSeenAt),
      authenticatedAt: head.authenticatedAt,
      tokenIssuedAt: head.tokenIssuedAt,
      version: head.version,
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

  /** The slots linked to a connection; steady while they are taken out. */
  linkedTo(connection: number): Iterable<number> {
    return this.#linked.get(connection) ?? [];
  }
}

/** A user id as a key of the manager's own lists: byte for byte. */
export function userKey(user: Uint8Array): string {
  return Buffer.from(user.buffer, user.byteOffset, user.length).toString('latin1');
}
