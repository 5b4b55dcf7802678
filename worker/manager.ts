/**
 * The rules of sessions: what each call checks, changes and answers. They know neither ports nor threads nor clocks: they are handed a table, what
 * is derived from it, the time as a function, and an audience. Manager's thread. In the order of the calls in src/protocol/calls.ts.
 *
 * A rule either refuses, or prepares: it checks all, writes the record where nobody sees it, and returns what the store has to keep and how to
 * publish. Nothing of it shows before `apply`, which cannot fail.
 */

import { ByteWriter } from '../src/protocol/bytes.js';
import type { NewSessionCall, Refusal, RotateCall, Swept, Target } from '../src/protocol/calls.js';
import type { CloseAllCall } from '../src/protocol/close-all.js';
import { checkEntries, findEntry } from '../src/protocol/data/entries.js';
import type { IfVersion, LoginCall, TakeCall } from '../src/protocol/data-calls.js';
import { Head } from '../src/protocol/head.js';
import type { CloseByKeyCall } from '../src/protocol/keyed-calls.js';
import type { Audience } from './audience.js';
import { type Caller, itself } from './caller.js';
import { Changes, type Prepared } from './changes.js';
import type { Endings } from './endings.js';
import { failpoint } from './failpoints.js';
import { KeyedSessions } from './keyed.js';
import { type Limits, Room } from './room.js';
import type { Sessions } from './sessions.js';
import type { StoreChange } from './stores/contract.js';
import type { TableWriter } from './table.js';
import { TokenChanges } from './token-changes.js';

export class Manager {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #table: TableWriter;
  readonly #room: Room;
  readonly #changes: Changes;
  readonly #tokens: TokenChanges;
  readonly #keyed: KeyedSessions;
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #head = new Head();
  readonly #merged = new ByteWriter();

  constructor(sessions: Sessions, endings: Endings, audience: Audience, limits: Limits, now: () => number) {
    this.#sessions = sessions;
    this.#endings = endings;
    this.#table = sessions.table;
    this.#room = new Room(sessions, endings, limits);
    this.#changes = new Changes(sessions, endings, this.#room, audience, limits);
    this.#tokens = new TokenChanges(sessions, endings, this.#changes, now);
    this.#keyed = new KeyedSessions(sessions, endings, this.#changes, now);
    this.#limits = limits;
    this.#now = now;
  }

  // ------------------------------------------------------------ new sessions

  newSession(call: NewSessionCall, by: Caller): Prepared | Refusal {
    if (call.data.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    checkEntries(call.data);
    failpoint('create: read');
    if (this.#endings.isUsed(call.digest) || this.#sessions.byId(call.id) >= 0) return 'used';
    const refusal = this.#room.admit(call.user, 1, call.data.length, -1);
    if (refusal !== undefined) return refusal;
    const table = this.#table;
    const slot = table.letSlot();
    failpoint('create: slot let');
    const head = this.#newHead(call, by, slot);
    const pointer = table.write(head, call);
    if (pointer === 0) {
      table.freeSlot(slot);
      return 'ERR_TABLE_FULL';
    }
    failpoint('create: written');
    const { createdAt, generation } = head;
    return {
      change: this.#changes.keep(call.id, pointer),
      apply: (reply) => {
        table.open(slot, createdAt, call.digest, call.id);
        by.journal?.intend({ slot, generation, createdAt, pinned: 0 });
        failpoint('create: intent noted');
        table.publish(slot, pointer);
        failpoint('create: published');
        this.#sessions.add(slot, head, call.user, call.data.length);
        failpoint('create: listed');
        this.#changes.tell('created', slot);
        failpoint('create: told');
        reply.u32(slot);
        reply.u32(generation);
        reply.f64(createdAt);
      },
      cancel: () => {
        table.cells.retire(pointer);
        table.freeSlot(slot);
      },
    };
  }

  #newHead(call: NewSessionCall, by: Caller, slot: number): Head {
    const head = this.#head;
    const now = this.#now();
    head.begin(slot, this.#table.view.generation(slot), now);
    head.digest.set(call.digest);
    head.id.set(call.id);
    head.idle = call.idle;
    head.expiresAt = now + call.absolute;
    head.isKeyed = call.keyed === true;
    head.linkedTo = call.linked ? by.connection : 0;
    head.connection = by.connection;
    head.call = by.call;
    return head;
  }

  // ------------------------------------------------------------ sessions under a caller's own key

  putSession(call: NewSessionCall, by: Caller): Prepared | Refusal {
    return this.#keyed.put(call, by, (unknown) => this.newSession(unknown, by));
  }

  /** After this the key has no session, and gets none for a while. */
  closeSessionByKey(call: CloseByKeyCall): StoreChange | undefined {
    const target = this.#keyed.targetOf(call.digest);
    if (target !== undefined) return this.close(target, false, call.note);
    this.#keyed.bury(call);
    return undefined;
  }

  // ------------------------------------------------------------ changes of one session

  set(target: Target, patch: Uint8Array, by: Caller, ifVersion?: IfVersion): Prepared | Refusal {
    return this.#changes.prepare(target, by, { ifVersion, data: (data) => this.#changes.merge(data, patch) });
  }

  replace(target: Target, ifVersion: IfVersion, data: Uint8Array, by: Caller): Prepared | Refusal {
    checkEntries(data);
    failpoint('replace: checked');
    return this.#changes.prepare(target, by, { ifVersion, data: () => data });
  }

  take({ target, ifVersion, key, patch }: TakeCall, by: Caller): Prepared | Refusal {
    let taken: Uint8Array | undefined;
    const prepared = this.#changes.prepare(target, by, {
      answers: true,
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
    if (typeof prepared === 'string' || taken === undefined) return prepared;
    const value = taken;
    return {
      ...prepared,
      apply: (reply) => {
        prepared.apply(reply);
        reply.raw(value);
      },
    };
  }

  login(call: LoginCall, by: Caller): Prepared | Refusal {
    return this.#tokens.login(call, by);
  }

  rotate(call: RotateCall, by: Caller): Prepared | Refusal {
    return this.#tokens.rotate(call, by);
  }

  setIdleTimeout(target: Target, idle: number, by: Caller): Prepared | Refusal {
    const prepared = this.#changes.prepare(target, by, {
      head: (head) => {
        head.idle = idle;
        return undefined;
      },
    });
    if (typeof prepared === 'string') return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        this.#changes.see(target.slot, this.#now());
        failpoint('idle timeout: marked as seen');
        prepared.apply(reply);
        failpoint('idle timeout: published');
        this.#sessions.reschedule(target.slot);
      },
    };
  }

  // ------------------------------------------------------------ endings

  /** An unknown or ended session is no error. The ending is published before a store hears of it. */
  close(target: Target, terminated: boolean, note: Uint8Array): StoreChange | undefined {
    if (this.#endings.alive(target, false) === 0) return undefined;
    const id = this.#table.view.head.id.slice();
    this.#endings.end(target.slot, terminated ? 'terminated' : 'closed', note.slice());
    return { kind: 'end', id };
  }

  closeAllSessions(filter: CloseAllCall, reason: 'closed' | 'stopped' = 'closed', by: Caller = itself): number {
    this.#endings.settle();
    const { view } = this.#table;
    const spared = filter.except ? this.#sessions.byId(filter.except) : -1;
    const anyAge = filter.createdBefore === Number.POSITIVE_INFINITY;
    return this.#endings.endAll(this.#sessions.slots(filter.user), reason, filter.limit, by, (slot) => {
      if (slot === spared) return false;
      return anyAge || (view.load(slot, false) !== 0 && view.head.createdAt < filter.createdBefore);
    });
  }

  /** A connection is gone: what was linked to it ends. */
  connectionLost(connection: number): void {
    for (const slot of this.#sessions.linkedTo(connection)) {
      if (this.#sessions.isOpen(slot)) this.#endings.end(slot, 'terminated');
    }
  }

  /** Frees what has ended, and says how many sessions had outlived their time: all of them, or a part that looks at, and frees, no more than `most`. */
  sweep(most = Number.POSITIVE_INFINITY): Swept {
    const { looked, ended } = this.#endings.endDue(most);
    this.#endings.freeSome(most);
    const isOver = looked < most && !this.#endings.hasMoreToFree;
    if (isOver) this.#endings.tidy();
    return { ended, isOver };
  }

  // ------------------------------------------------------------ questions

  /** The sessions of one user, as slots and generations, the longest held first. */
  sessionsOfUser(user: Uint8Array): Target[] {
    const targets: Target[] = [];
    for (const slot of this.#sessions.slots(user)) {
      if (this.#sessions.isOpen(slot)) targets.push({ slot, generation: this.#table.view.generation(slot) });
    }
    return targets;
  }

  isAlive(target: Target): boolean {
    return this.#endings.alive(target, false) !== 0;
  }
}
