/**
 * The next record of a session: prepared where nobody sees it, published by one store. What the rules that change a
 * session share. Manager's thread.
 */

import { ByteWriter } from '../../src/protocol/bytes.js';
import type { Refusal, Target } from '../../src/protocol/calls.js';
import { checkEntries, mergeEntries } from '../../src/protocol/data/entries.js';
import type { IfVersion } from '../../src/protocol/data-calls.js';
import { EVENT_BITS, type SessionEventName } from '../../src/protocol/notices.js';
import type { Head } from '../../src/protocol/record-header.js';
import { failpoint } from '../failpoints.js';
import type { TableWriter } from '../table/table.js';
import type { Caller } from './caller.js';
import type { Limits, Room, RoomMaking } from './capacity.js';
import type { Endings } from './endings.js';
import type { Audience } from './notifier.js';
import type { Sessions } from './sessions.js';

/** A change that was checked and written, and that nobody can see yet. */
export interface Prepared {
  /** Publishes it and writes the fields of the reply. */
  apply(reply: ByteWriter): void;
}

/** What a rule comes to; or what has to be done before it can be asked again. */
export type Ruling = Prepared | Refusal | RoomMaking;

/** Whether a rule has prepared a change. */
export function isPrepared(ruling: Ruling): ruling is Prepared {
  return typeof ruling !== 'string' && 'apply' in ruling;
}

/** What a change makes of a session: a function for its data (undefined: as it is), one for its head. */
export interface Makings {
  /** The user who gets one session more by it. */
  readonly joins?: Uint8Array | undefined;
  /** Refused unless the data has this version. */
  readonly ifVersion?: IfVersion;
  /** The value that the answer holds, asked once the data was made; undefined for none. */
  readonly answer?: () => Uint8Array | undefined;
  /** The client's texts; undefined: as they are. */
  readonly client?: Uint8Array;
  data?(data: Uint8Array): Uint8Array | undefined;
  /** Changes the head in place; may give another user, or refuse. */
  head?(head: Head): Uint8Array | Refusal | undefined;
}

export class Changes {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #room: Room;
  readonly #table: TableWriter;
  readonly #audience: Audience;
  readonly #limits: Limits;
  readonly #merged = new ByteWriter();

  constructor(sessions: Sessions, endings: Endings, room: Room, audience: Audience, limits: Limits) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#room = room;
    this.#table = sessions.table;
    this.#audience = audience;
    this.#limits = limits;
  }

  /** Prepares the next record of a live session. */
  prepare(target: Target, by: Caller, makings: Makings): Ruling {
    const table = this.#table;
    const { view } = table;
    const { slot } = target;
    let old = this.#endings.alive(target, true);
    if (old === 0) return 'ERR_SESSION_ENDED';
    failpoint('change: loaded');
    const { ifVersion } = makings;
    if (ifVersion !== undefined && ifVersion !== view.head.version) return 'ERR_SESSION_CONFLICT';
    const made = makings.data?.(table.loadedBody().data);
    const growth = made === undefined ? 0 : made.length - view.head.dataBytes;
    if (made !== undefined && made.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    if (growth > 0 || makings.joins !== undefined) {
      const refusal = this.#room.admit(makings.joins, 0, growth, slot);
      if (refusal !== undefined) return refusal;
      // Making room may have loaded other records over this one.
      old = this.#endings.alive(target, true);
      if (old === 0) return 'ERR_SESSION_ENDED';
    }
    failpoint('change: made');
    const { head } = view;
    const body = table.loadedBody();
    const user = makings.head?.(head);
    if (typeof user === 'string') return user;
    if (made !== undefined) head.version = (head.version + 1) >>> 0;
    head.connection = by.connection;
    head.call = by.call;
    const client = makings.client ?? body.client;
    const pointer = table.write(head, { user: user ?? body.user, client, data: made ?? body.data });
    if (pointer === 0) return 'ERR_TABLE_FULL';
    failpoint('change: written');
    const { generation, createdAt } = head;
    const value = by.pins && makings.answer?.();
    const pinned = value === undefined ? 0 : table.pin(value);
    if (value !== undefined && pinned === 0) {
      table.cells.retire(pointer);
      return 'ERR_TABLE_FULL';
    }
    return {
      apply: () => {
        by.journal?.intend({ slot, generation, createdAt, pinned });
        failpoint('change: intent noted');
        table.publish(slot, pointer);
        failpoint('change: published');
        table.cells.retire(old);
        failpoint('change: old one retired');
        if (value !== undefined) by.pins?.add(table, { call: by.call, pointer: pinned, bytes: value.length });
        failpoint('change: value pinned');
        table.dataBytes += growth;
        if (made !== undefined) this.tell('changed', slot);
        failpoint('change: told');
      },
    };
  }

  /** The data as a patch changes it; a view, valid until the next merge. */
  merge(data: Uint8Array, patch: Uint8Array): Uint8Array {
    checkEntries(patch, true, this.#table.pace.goesOn);
    this.#merged.reset();
    mergeEntries(data, patch, this.#merged, this.#table.pace.goesOn);
    failpoint('set: merged');
    return this.#merged.bytes.subarray(0, this.#merged.length);
  }

  /** Marks a session as seen. Before a change is published that would have the mark as it is judged anew. */
  see(slot: number, now: number): void {
    const { view } = this.#table;
    if (view.load(slot, false) !== 0) view.raise(slot, view.mark(slot), now);
  }

  /** Tells of the session in a slot, if anybody listens. */
  tell(event: SessionEventName, slot: number): void {
    const bit = EVENT_BITS[event];
    if (!(this.#audience.wanted & bit) || this.#sessions.load(slot) === 0) return;
    this.#audience.tell(bit, (to) => this.#sessions.writeInfo(to, this.#table.view.mark(slot)));
  }
}
