/**
 * Changes of a session: the next record is prepared where no thread sees it, and published by one store. Shared by the
 * rules that change a session. Manager's thread.
 */

import { ByteWriter } from '../../src/protocol/bytes.js';
import type { Refusal, Target } from '../../src/protocol/calls.js';
import { checkEntries, mergeEntries } from '../../src/protocol/data/entries.js';
import type { IfVersion } from '../../src/protocol/data-calls.js';
import { EVENT_BITS, type SessionEventName } from '../../src/protocol/notices.js';
import type { RecordHeader } from '../../src/protocol/record-header.js';
import { failpoint } from '../failpoints.js';
import type { TableWriter } from '../table/table.js';
import type { Caller } from './caller.js';
import type { Capacity, CapacityWork, Limits } from './capacity.js';
import type { Endings } from './endings.js';
import type { Notifier } from './notifier.js';
import type { Sessions } from './sessions.js';

/** A change that was checked and written, but not published. */
interface Prepared {
  /** Publishes the change and writes the fields of the reply. Cannot fail. */
  apply(reply: ByteWriter): void;
}

/** What a rule decides, or the work after which it has to be asked again. */
export type Ruling = Prepared | Refusal | CapacityWork;

/** Whether a rule has prepared a change. */
export function isPrepared(ruling: Ruling): ruling is Prepared {
  return typeof ruling !== 'string' && 'apply' in ruling;
}

/**
 * What is to be changed in a session: `data` returns its next data (undefined: unchanged), `header` changes its record
 * header.
 */
export interface Change {
  /** The user who gets one more session by it. */
  readonly joins?: Uint8Array | undefined;
  /** The change is refused unless the data has this version. */
  readonly ifVersion?: IfVersion;
  /** The value that the answer contains, asked after `data`; undefined for none. */
  readonly answer?: () => Uint8Array | undefined;
  /** The client's texts; undefined: unchanged. */
  readonly client?: Uint8Array;
  data?(data: Uint8Array): Uint8Array | undefined;
  /** Changes the header in place; may return another user, or refuse. */
  header?(record: RecordHeader): Uint8Array | Refusal | undefined;
}

export class Changes {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #capacity: Capacity;
  readonly #table: TableWriter;
  readonly #notifier: Notifier;
  readonly #limits: Limits;
  readonly #merged = new ByteWriter();

  constructor(sessions: Sessions, endings: Endings, capacity: Capacity, notifier: Notifier, limits: Limits) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#capacity = capacity;
    this.#table = sessions.table;
    this.#notifier = notifier;
    this.#limits = limits;
  }

  /** Prepares the next record of a live session. */
  prepare(target: Target, by: Caller, change: Change): Ruling {
    const table = this.#table;
    const { view } = table;
    const { slot } = target;
    let old = this.#endings.loadAlive(target, true);
    if (old === 0) return 'ERR_SESSION_ENDED';
    failpoint('change: loaded');
    const { ifVersion } = change;
    if (ifVersion !== undefined && ifVersion !== view.record.version) return 'ERR_SESSION_CONFLICT';
    const made = change.data?.(table.loadedBody().data);
    const growth = made === undefined ? 0 : made.length - view.record.dataBytes;
    if (made !== undefined && made.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    if (growth > 0 || change.joins !== undefined) {
      const refusal = this.#capacity.admit(change.joins, 0, growth, slot);
      if (refusal !== undefined) return refusal;
      // `admit` may have loaded other records over this one.
      old = this.#endings.loadAlive(target, true);
      if (old === 0) return 'ERR_SESSION_ENDED';
    }
    failpoint('change: made');
    const { record } = view;
    const body = table.loadedBody();
    const user = change.header?.(record);
    if (typeof user === 'string') return user;
    if (made !== undefined) record.version = (record.version + 1) >>> 0;
    record.connection = by.connection;
    record.call = by.call;
    const client = change.client ?? body.client;
    const pointer = table.write(record, { user: user ?? body.user, client, data: made ?? body.data });
    if (pointer === 0) return 'ERR_TABLE_FULL';
    failpoint('change: written');
    const { generation, createdAt } = record;
    const value = by.pins && change.answer?.();
    const pinned = value === undefined ? 0 : table.pin(value);
    if (value !== undefined && pinned === 0) {
      table.cells.retire(pointer);
      return 'ERR_TABLE_FULL';
    }
    return {
      apply: () => {
        by.journal?.noteIntent({ slot, generation, createdAt, pinned });
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

  /** The data with a patch applied; a view, valid until the next merge. */
  merge(data: Uint8Array, patch: Uint8Array): Uint8Array {
    checkEntries(patch, true, this.#table.pace.beat);
    this.#merged.reset();
    mergeEntries(data, patch, this.#merged, this.#table.pace.beat);
    failpoint('set: merged');
    return this.#merged.bytes.subarray(0, this.#merged.length);
  }

  /**
   * Marks a session as seen at `now`. To be called before a change is published after which the mark is judged by other
   * timeouts.
   */
  see(slot: number, now: number): void {
    const { view } = this.#table;
    if (view.load(slot, false) !== 0) view.raise(slot, view.mark(slot), now);
  }

  /** Sends an event about the session in a slot, if anyone listens. */
  tell(event: SessionEventName, slot: number): void {
    const bit = EVENT_BITS[event];
    if (!(this.#notifier.wanted & bit) || this.#sessions.load(slot) === 0) return;
    this.#notifier.tell(bit, (to) => this.#sessions.writeInfo(to, this.#table.view.mark(slot)));
  }
}
