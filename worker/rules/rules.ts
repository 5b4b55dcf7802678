/**
 * The rules of sessions: what each call checks, changes and answers, in the order of the calls in
 * src/protocol/calls.ts. Manager's thread. The rules know neither ports nor threads: table, sessions, clock and
 * notifier are passed in.
 *
 * A rule either refuses, or prepares a change: it checks everything, writes the record where no thread sees it, and
 * returns how to publish it. Nothing is visible before `apply`, which cannot fail. If a rule first needs more work than
 * a step allows (see pace.ts), it returns that work, and is asked again when the work is done. Rules for many sessions
 * are such work altogether, so that other calls get their turns in between.
 */

import { ByteWriter } from '../../src/protocol/bytes.js';
import type {
  CloseAllCall,
  CloseByKeyCall,
  NewSessionCall,
  RotateCall,
  Swept,
  Target,
} from '../../src/protocol/calls.js';
import { checkEntries, findEntry } from '../../src/protocol/data/entries.js';
import type { IfVersion, LoginCall, TakeCall } from '../../src/protocol/data-calls.js';
import { SessionRecord } from '../../src/protocol/record.js';
import { failpoint } from '../failpoints.js';
import { type Steps, UNITS } from '../table/pace.js';
import { RecordDraft } from '../table/record-draft.js';
import type { TableWriter } from '../table/table.js';
import { type Caller, itself } from './caller.js';
import { Capacity, type Limits } from './capacity.js';
import { Changes, isPrepared, type Ruling } from './changes.js';
import type { Endings } from './endings.js';
import { KeyedSessions } from './keyed.js';
import type { Notifier } from './notifier.js';
import type { Sessions } from './sessions.js';
import { TokenChanges } from './token-changes.js';

export class Rules {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #table: TableWriter;
  readonly #capacity: Capacity;
  readonly #changes: Changes;
  readonly #tokens: TokenChanges;
  readonly #keyed: KeyedSessions;
  readonly #limits: Limits;
  readonly #now: () => number;
  /** The record of a new session; and one that a rule looks at. */
  readonly #next = new RecordDraft();
  readonly #record = new SessionRecord();
  readonly #merged = new ByteWriter();

  constructor(sessions: Sessions, endings: Endings, notifier: Notifier, limits: Limits, now: () => number) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#table = sessions.table;
    this.#capacity = new Capacity(sessions, endings, limits);
    this.#changes = new Changes(sessions, endings, this.#capacity, notifier, limits);
    this.#tokens = new TokenChanges(sessions, endings, this.#changes, now);
    this.#keyed = new KeyedSessions(sessions, endings, this.#changes, now);
    this.#limits = limits;
    this.#now = now;
  }

  // ------------------------------------------------------------ new sessions

  newSession(call: NewSessionCall, by: Caller): Ruling {
    if (call.data.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    checkEntries(call.data, false, this.#table.pace.beat);
    failpoint('create: read');
    if (!this.#endings.freeDigest(call.digest) || this.#sessions.byId(call.id) >= 0) return 'used';
    const refusal = this.#capacity.admit(call.user, 1, call.data.length, -1);
    if (refusal !== undefined) return refusal;
    const table = this.#table;
    const slot = table.allocateSlot();
    failpoint('create: slot allocated');
    const record = this.#newRecord(call, by, slot);
    const pointer = table.write(record, call);
    if (pointer === 0) {
      table.freeSlot(slot);
      return 'ERR_TABLE_FULL';
    }
    failpoint('create: written');
    const { createdAt, generation } = record;
    return {
      apply: (reply) => {
        table.open(slot, createdAt, call.digest, call.id);
        by.journal?.noteIntent({ slot, generation, createdAt, pinned: 0 });
        failpoint('create: intent noted');
        table.publish(slot, pointer);
        failpoint('create: published');
        this.#sessions.add(record);
        failpoint('create: listed');
        this.#changes.tell('created', slot);
        failpoint('create: told');
        reply.u32(slot);
        reply.u32(generation);
        reply.f64(createdAt);
      },
    };
  }

  #newRecord(call: NewSessionCall, by: Caller, slot: number): RecordDraft {
    const record = this.#next;
    const now = Math.max(this.#now(), this.#endings.notBefore);
    record.begin(slot, this.#table.view.generation(slot), now);
    record.digest.set(call.digest);
    record.id.set(call.id);
    record.setIdle(call.idle);
    record.setExpiresAt(now + call.absolute);
    if (call.keyed === true) record.setKeyed();
    if (call.linked) record.setLinkedTo(by.connection);
    record.madeBy(by.connection, by.call);
    return record;
  }

  // ------------------------------------------------------------ sessions under a caller's own key

  putSession(call: NewSessionCall, by: Caller): Ruling {
    return this.#keyed.put(call, by, (unknown) => this.newSession(unknown, by));
  }

  /** Afterwards the key has no session, and gets none until its tombstone expires. */
  closeSessionByKey(call: CloseByKeyCall): void {
    const target = this.#keyed.targetOf(call.digest);
    if (target !== undefined) this.close(target, false, call.note);
    else this.#keyed.leaveTombstone(call);
  }

  // ------------------------------------------------------------ changes of one session

  set(target: Target, patch: Uint8Array, by: Caller, ifVersion?: IfVersion): Ruling {
    return this.#changes.prepare(target, by, { ifVersion, data: (data) => this.#changes.merge(data, patch) });
  }

  replace(target: Target, ifVersion: IfVersion, data: Uint8Array, by: Caller): Ruling {
    checkEntries(data, false, this.#table.pace.beat);
    failpoint('replace: checked');
    return this.#changes.prepare(target, by, { ifVersion, data: () => data });
  }

  take({ target, ifVersion, key, patch }: TakeCall, by: Caller): Ruling {
    let taken: Uint8Array | undefined;
    const prepared = this.#changes.prepare(target, by, {
      answer: () => taken,
      ifVersion,
      data: (data) => {
        const entry = findEntry(data, key);
        if (entry === undefined) return undefined;
        taken = data.slice(entry.valueStart, entry.end);
        failpoint('take: found');
        this.#merged.reset();
        this.#merged.raw(data.subarray(0, entry.start));
        this.#merged.raw(data.subarray(entry.end));
        const left = this.#merged.bytes.subarray(0, this.#merged.length);
        return patch === undefined || patch.length === 0 ? left : this.#changes.merge(left, patch);
      },
    });
    const value = taken;
    if (!isPrepared(prepared) || value === undefined) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        prepared.apply(reply);
        reply.raw(value);
      },
    };
  }

  login(call: LoginCall, by: Caller): Ruling {
    return this.#tokens.login(call, by);
  }

  rotate(call: RotateCall, by: Caller): Ruling {
    return this.#tokens.rotate(call, by);
  }

  setIdleTimeout(target: Target, idle: number, by: Caller): Ruling {
    let createdAt = 0;
    const prepared = this.#changes.prepare(target, by, {
      header: (next) => {
        createdAt = next.createdAt;
        next.setIdle(idle);
      },
    });
    if (!isPrepared(prepared)) return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        this.#changes.see(target.slot, createdAt, this.#now());
        failpoint('idle timeout: marked as seen');
        prepared.apply(reply);
        failpoint('idle timeout: published');
        this.#sessions.reschedule(target.slot);
      },
    };
  }

  // ------------------------------------------------------------ endings

  /** A session that is unknown or has ended is not an error. */
  close(target: Target, terminated: boolean, note: Uint8Array): void {
    if (this.#endings.loadOrEnd(target, this.#record) === 0) return;
    this.#endings.end(target.slot, terminated ? 'terminated' : 'closed', note.slice());
  }

  /** Ends the sessions that existed when the call began and that match the filter. Returns how many. */
  closeAllSessions(filter: CloseAllCall, reason: 'closed' | 'stopped' = 'closed', by: Caller = itself): Steps<number> {
    const { view, pace } = this.#table;
    const { user, except, createdBefore, limit } = filter;
    const spared = except ? this.#sessions.byId(except) : -1;
    const isAnyAge = createdBefore === Number.POSITIVE_INFINITY;
    return this.#endings.endMany(
      () => this.#sessions.slots(user),
      reason,
      limit,
      by,
      (slot) => {
        if (slot === spared) return false;
        if (isAnyAge) return true;
        pace.spend(UNITS.record);
        return view.load(slot, this.#record) !== 0 && this.#record.createdAt < createdBefore;
      },
    );
  }

  /** A connection is gone: ends the sessions that were linked to it. */
  *connectionLost(connection: number): Steps<void> {
    const { pace } = this.#table;
    for (const slot of this.#sessions.linkedTo(connection)) {
      if (this.#sessions.isOpen(slot)) this.#endings.end(slot, 'terminated');
      if (pace.isOver) yield;
    }
  }

  /**
   * One part of a sweep. It visits, and frees, at most `most` slots; the last part also tidies up. Returns how many
   * sessions it ended because their timeout had passed.
   */
  *sweep(most: number): Steps<Swept> {
    const { visited, ended } = this.#endings.endDue(most);
    this.#endings.freeSome(most);
    const isOver = visited < most && !this.#endings.hasMoreToFree;
    if (isOver) yield* this.#endings.tidying();
    return { ended, isOver };
  }

  // ------------------------------------------------------------ questions

  /**
   * Names the sessions of one user, oldest first, and returns how many. A session that becomes this user's anew
   * meanwhile may be named twice.
   */
  *sessionsOfUser(user: Uint8Array, name: (target: Target) => void): Steps<number> {
    const { view, pace } = this.#table;
    let count = 0;
    for (const slot of this.#sessions.slots(user)) {
      pace.spend(UNITS.slot * 4);
      if (this.#sessions.isOpen(slot)) {
        name({ slot, generation: view.generation(slot) });
        count++;
      }
      if (pace.isOver) yield;
    }
    return count;
  }

  /** Ends the target's session if its timeout has passed; true if there is no such session, or not any more. */
  endIfOver(target: Target): boolean {
    return this.#endings.loadOrEnd(target, this.#record) === 0;
  }
}
