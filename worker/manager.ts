/**
 * The rules of sessions: what each call checks, changes and answers. They know neither ports nor threads nor clocks: they are handed a table, what
 * is derived from it, the time as a function, and an audience. Manager's thread. In the order of the calls in src/protocol/calls.ts.
 *
 * A rule either refuses, or prepares: it checks all, writes the record where nobody sees it, and returns what the store has to keep and how to
 * publish. Nothing of it shows before `apply`, which cannot fail.
 */

import { ByteWriter } from '../src/protocol/bytes.js';
import type { CloseAllCall, LoginCall, NewSessionCall, Refusal, RotateCall, Target } from '../src/protocol/calls.js';
import { checkEntries, findEntry, mergeEntries } from '../src/protocol/data/entries.js';
import { Head } from '../src/protocol/head.js';
import { sameDigest } from '../src/protocol/table.js';
import type { Audience } from './audience.js';
import { type Caller, itself } from './caller.js';
import { Changes, type Prepared } from './changes.js';
import type { Endings } from './endings.js';
import { type Limits, Room } from './room.js';
import { type Sessions, userKey } from './sessions.js';
import type { StoreChange } from './stores/contract.js';
import type { TableWriter } from './table.js';

export class Manager {
  readonly #sessions: Sessions;
  readonly #endings: Endings;
  readonly #table: TableWriter;
  readonly #room: Room;
  readonly #changes: Changes;
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
    this.#limits = limits;
    this.#now = now;
  }

  // ------------------------------------------------------------ new sessions

  newSession(call: NewSessionCall, by: Caller): Prepared | Refusal {
    if (call.data.length > this.#limits.maxSessionBytes) return 'ERR_SESSION_TOO_LARGE';
    checkEntries(call.data);
    if (this.#isUsed(call.digest) || this.#sessions.byId(call.id) >= 0) return 'used';
    const refusal = this.#room.admit(call.user, 1, call.data.length, -1);
    if (refusal !== undefined) return refusal;
    const table = this.#table;
    const slot = table.letSlot();
    const head = this.#newHead(call, by, slot);
    const pointer = table.write(head, call);
    if (pointer === 0) {
      table.freeSlot(slot);
      return 'ERR_TABLE_FULL';
    }
    const { createdAt, generation } = head;
    return {
      change: this.#changes.keep(call.id, pointer),
      apply: (reply) => {
        table.open(slot, createdAt, call.digest, call.id);
        by.journal?.intend({ slot, generation, createdAt, pinned: 0 });
        table.publish(slot, pointer);
        this.#sessions.add(slot, head, call.user, call.data.length);
        this.#changes.tell('created', slot);
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
    head.linkedTo = call.linked ? by.connection : 0;
    head.connection = by.connection;
    head.call = by.call;
    return head;
  }

  // ------------------------------------------------------------ changes of one session

  set(target: Target, patch: Uint8Array, by: Caller): Prepared | Refusal {
    return this.#changes.prepare(target, by, { data: (data) => this.#merge(data, patch) });
  }

  replace(target: Target, ifVersion: number | undefined, data: Uint8Array, by: Caller): Prepared | Refusal {
    checkEntries(data);
    return this.#changes.prepare(target, by, {
      data: (_, head) => (ifVersion === undefined || ifVersion === head.version ? data : 'ERR_SESSION_CONFLICT'),
    });
  }

  take(target: Target, key: Uint8Array, by: Caller): Prepared | Refusal {
    let taken: Uint8Array | undefined;
    const prepared = this.#changes.prepare(target, by, {
      answers: true,
      data: (data) => {
        const entry = findEntry(data, key);
        if (entry === undefined) return undefined;
        taken = data.slice(entry.valueStart, entry.end);
        this.#merged.reset();
        this.#merged.raw(data.subarray(0, entry.start));
        this.#merged.raw(data.subarray(entry.end));
        return this.#merged.bytes.subarray(0, this.#merged.length);
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
    const sessions = this.#sessions;
    const table = this.#table;
    const { slot } = call.target;
    if (this.#endings.alive(call.target, true) === 0) return 'ERR_SESSION_ENDED';
    if (this.#isUsed(call.digest)) return 'used';
    if (this.#endings.alive(call.target, true) === 0) return 'ERR_SESSION_ENDED';
    const before = userKey(table.loadedBody().user);
    const now = this.#now();
    const oldDigest = new Int32Array(8);
    let oldPrevious: Int32Array | undefined;
    const prepared = this.#changes.prepare(call.target, by, {
      joins: before === userKey(call.user) ? undefined : call.user,
      data: (data) => (call.patch.length === 0 ? undefined : this.#merge(data, call.patch)),
      head: (head) => {
        if (table.sameEntry(head.digest, call.digest)) return 'used';
        oldDigest.set(head.digest);
        if (head.hasPrevious) oldPrevious = head.previousDigest.slice();
        const authenticated = Number.isNaN(head.authenticatedAt) ? head.createdAt : head.authenticatedAt;
        head.expiresAt = now + (head.expiresAt - authenticated);
        head.digest.set(call.digest);
        head.hasPrevious = false;
        head.tokenIssuedAt = now;
        head.authenticatedAt = now;
        return call.user;
      },
    });
    if (typeof prepared === 'string') return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        table.digests.insert(call.digest[0] as number, call.digest[1] as number, slot);
        this.#changes.see(slot, now);
        prepared.apply(reply);
        table.digests.remove(oldDigest[0] as number, oldDigest[1] as number, slot);
        if (oldPrevious) table.previous.remove(oldPrevious[0] as number, oldPrevious[1] as number, slot);
        sessions.users.remove(slot);
        sessions.users.add(call.user, slot);
        sessions.reschedule(slot);
        this.#changes.tell('token-rotated', slot);
      },
    };
  }

  rotate(call: RotateCall, by: Caller): Prepared | Refusal {
    const table = this.#table;
    const { slot } = call.target;
    if (this.#isUsed(call.to)) return 'used';
    const now = this.#now();
    let oldPrevious: Int32Array | undefined;
    const prepared = this.#changes.prepare(call.target, by, {
      head: (head) => {
        if (!sameDigest(head.digest, call.from)) {
          const inGrace = head.hasPrevious && now < head.graceUntil && sameDigest(head.previousDigest, call.from);
          return inGrace ? 'moved' : 'ERR_TOKEN_UNKNOWN';
        }
        if (table.sameEntry(head.digest, call.to)) return 'used';
        if (head.hasPrevious) oldPrevious = head.previousDigest.slice();
        head.hasPrevious = true;
        head.previousDigest.set(call.from);
        head.graceUntil = now + call.grace;
        head.sealed.set(call.sealed);
        head.digest.set(call.to);
        head.tokenIssuedAt = now;
        return undefined;
      },
    });
    if (typeof prepared === 'string') return prepared;
    return {
      ...prepared,
      apply: (reply) => {
        // Both ways are laid before the record is published, the old one is taken up after it: no token is ever without a way.
        table.previous.insert(call.from[0] as number, call.from[1] as number, slot);
        table.digests.insert(call.to[0] as number, call.to[1] as number, slot);
        prepared.apply(reply);
        table.digests.remove(call.from[0] as number, call.from[1] as number, slot);
        if (oldPrevious) table.previous.remove(oldPrevious[0] as number, oldPrevious[1] as number, slot);
        this.#changes.tell('token-rotated', slot);
      },
    };
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
        prepared.apply(reply);
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

  /** Frees all that has ended, and says how many sessions had outlived their time. */
  sweep(): number {
    const { ended } = this.#endings.endDue(Number.POSITIVE_INFINITY);
    this.#endings.freeSome(Number.POSITIVE_INFINITY);
    this.#endings.tidy();
    return ended;
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

  // ------------------------------------------------------------ what the rules share

  /** True if a live session has this digest; one that had it and whose time is over ends here. */
  #isUsed(digest: Int32Array): boolean {
    const slot = this.#sessions.byDigest(digest);
    return slot >= 0 && this.#endings.alive({ slot, generation: this.#table.view.generation(slot) }, false) !== 0;
  }

  #merge(data: Uint8Array, patch: Uint8Array): Uint8Array {
    checkEntries(patch, true);
    this.#merged.reset();
    mergeEntries(data, patch, this.#merged);
    return this.#merged.bytes.subarray(0, this.#merged.length);
  }
}
