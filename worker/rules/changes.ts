/**
 * Changes of a session: the next record is prepared where no thread sees it, and published by one store. Shared by the
 * rules that change a session. Manager's thread.
 */

import { ByteWriter, sameBytes } from '../../src/protocol/bytes.js';
import type { Refusal, Target } from '../../src/protocol/calls.js';
import { checkEntries, mergeEntries } from '../../src/protocol/data/entries.js';
import type { IfVersion } from '../../src/protocol/data-calls.js';
import { EVENT_BITS, type SessionEventName } from '../../src/protocol/notices.js';
import { SessionRecord } from '../../src/protocol/record.js';
import { raiseMark } from '../../src/protocol/seen.js';
import { markPlace } from '../../src/protocol/table.js';
import { failpoint } from '../failpoints.js';
import { RecordDraft } from '../table/record-draft.js';
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

/** What is to be changed in a session; what is left out stays as it is. */
export interface Change {
  /** May refuse the change, after a look at the session's record. */
  readonly check?: (record: SessionRecord) => Refusal | undefined;
  /** The change is refused unless the data has this version. */
  readonly ifVersion?: IfVersion;
  /** The session's next data; undefined if it stays as it is. */
  readonly data?: (data: Uint8Array) => Uint8Array | undefined;
  /** The session's next user. */
  readonly user?: Uint8Array;
  /** The client's texts. */
  readonly client?: Uint8Array;
  /** Changes the header of the next record. */
  readonly header?: (next: RecordDraft) => void;
  /** The value that the answer contains, asked after `data`; undefined for none. */
  readonly answer?: () => Uint8Array | undefined;
}

export class Changes {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #capacity: Capacity;
  readonly #table: TableWriter;
  readonly #notifier: Notifier;
  readonly #limits: Limits;
  /** The record of the session that is changed, and its next record. */
  readonly #old = new SessionRecord();
  readonly #next = new RecordDraft();
  readonly #told = new SessionRecord();
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
    const old = this.#old;
    const next = this.#next;
    const { slot } = target;
    const replaced = this.#endings.loadOrEnd(target, old, true);
    if (replaced === 0) return 'ERR_SESSION_ENDED';
    failpoint('change: loaded');
    const { user, client, ifVersion } = change;
    const checked = change.check?.(old);
    if (checked !== undefined) return checked;
    if (ifVersion !== undefined && ifVersion !== old.version) return 'ERR_SESSION_CONFLICT';
    const made = change.data?.(old.data);
    const growth = made === undefined ? 0 : made.length - old.dataBytes;
    if (made !== undefined && made.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    const joins = user === undefined || user.length === 0 || sameBytes(user, old.user) ? undefined : user;
    if (growth > 0 || joins !== undefined) {
      const refusal = this.#capacity.admit(joins, 0, growth, slot);
      if (refusal !== undefined) return refusal;
    }
    failpoint('change: made');
    next.continue(old);
    change.header?.(next);
    if (made !== undefined) next.raiseVersion();
    next.madeBy(by.connection, by.call);
    const pointer = table.write(next, {
      user: user ?? old.user,
      client: client ?? old.client,
      data: made ?? old.data,
    });
    if (pointer === 0) return 'ERR_TABLE_FULL';
    failpoint('change: written');
    const { generation } = target;
    const { createdAt } = old;
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
        table.cells.retire(replaced);
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
  see(slot: number, createdAt: number, now: number): void {
    const { view } = this.#table;
    raiseMark(view.slots, markPlace(slot), view.mark(slot), createdAt, now);
  }

  /** Sends an event about the session in a slot, if anyone listens. */
  tell(event: SessionEventName, slot: number): void {
    const bit = EVENT_BITS[event];
    const record = this.#told;
    if (!(this.#notifier.wanted & bit) || this.#sessions.loadTexts(slot, record) === 0) return;
    this.#notifier.tell(bit, (to) => this.#sessions.writeInfo(to, record, this.#table.view.mark(slot)));
  }
}
