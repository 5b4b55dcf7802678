/**
 * The sessions that this thread holds: one object for one live session, for as long as anyone holds it. Used in every
 * thread of the host.
 */

import type { Carried } from '../session/claim.js';
import type { Watched } from '../session/context.js';
import type { SessionHandle } from '../session/session.js';

/**
 * Handles that were added one after another, held by one weak reference: one for each would cost more than all else of
 * a new session. Each handle holds its group, so one that is kept keeps its neighbours in memory.
 */
interface Group {
  readonly handles: WeakRef<SessionHandle[]>;
  /** Of each handle, so that most groups are told from the one that is looked for without a look at the handles. */
  readonly slots: number[];
  readonly generations: number[];
}
const GROUP = 16;

/** Handles by slot, held weakly but for the group that is being filled; those whose `signal` is in use, strongly. */
export class Handles {
  /** An array, as slots are let from the lowest on: its places are found faster than those of a Map. */
  readonly #bySlot: (Group | undefined)[] = [];
  readonly #groups = new Set<Group>();
  readonly #watched = new Map<number, Watched>();
  #filling: Group | undefined;
  #handles: SessionHandle[] = [];
  /**
   * Goes round all groups, over and over: two for each that is begun, so that dead ones are never more than half as
   * many again as there were groups.
   */
  #hand = this.#groups.values();

  get(slot: number, generation: number): SessionHandle | undefined {
    const group = this.#bySlot[slot];
    const at = group === undefined ? -1 : group.slots.lastIndexOf(slot);
    return group?.generations[at] === generation ? group.handles.deref()?.[at] : undefined;
  }

  add(handle: SessionHandle): void {
    if (handle.group !== undefined) return;
    if (this.#filling === undefined || this.#handles.length === GROUP) this.#filling = this.#begin();
    this.#handles.push(handle);
    handle.join(this.#handles);
    this.#filling.slots.push(handle.slot);
    this.#filling.generations.push(handle.generation);
    this.#bySlot[handle.slot] = this.#filling;
  }

  #begin(): Group {
    this.#look();
    this.#look();
    this.#handles = [];
    const group = { handles: new WeakRef(this.#handles), slots: [], generations: [] };
    this.#groups.add(group);
    return group;
  }

  #look(): void {
    const { value: group, done } = this.#hand.next();
    if (done) this.#hand = this.#groups.values();
    else if (group.handles.deref() === undefined) {
      this.#groups.delete(group);
      for (const slot of group.slots) if (this.#bySlot[slot] === group) this.#bySlot[slot] = undefined;
    }
  }

  watch(handle: Watched): void {
    // A slot that was let again: the notice that its former session is over has yet to come.
    const former = this.#watched.get(handle.slot);
    if (former !== undefined && former.generation !== handle.generation) former.over(undefined);
    this.#watched.set(handle.slot, handle);
  }

  /** The sessions that are watched. Those that are unwatched meanwhile are passed over. */
  allWatched(): Iterable<Watched> {
    return this.#watched.values();
  }

  isWatched(handle: Watched): boolean {
    return this.#watched.get(handle.slot) === handle;
  }

  /** The sessions that are watched, as pairs of slot and generation. */
  get watched(): Int32Array {
    return Int32Array.from([...this.#watched.values()].flatMap(({ slot, generation }) => [slot, generation]));
  }

  /** The watched handle of a session that is over; it is not watched any more. */
  unwatch(slot: number, generation: number): Watched | undefined {
    const handle = this.#watched.get(slot);
    if (handle?.generation !== generation) return undefined;
    this.#watched.delete(slot);
    return handle;
  }
}

/** Bounds of the memo: either makes it begin anew, with what was used lately kept for one more round. */
const MOST_ENTRIES = 32_768;
const MOST_BYTES = 32 * 1024 * 1024;

/** What a cookie was found to mean, as long as the record it was found in is current. */
export interface MemoEntry {
  readonly handle: SessionHandle;
  readonly pointer: number;
  readonly stampLow: number;
  readonly stampHigh: number;
  /** Of that record. */
  readonly bytes: number;
  /** From when on the token is honoured no more; Infinity for a current one. */
  readonly until: number;
  /** Undefined for a key, and until it is asked for. */
  carried: Carried | undefined;
}

/**
 * Cookies that this thread has seen, bounded in number and in the bytes of the records behind them. Two generations:
 * what is used moves to the younger.
 */
export class Memo {
  #young = new Map<string, MemoEntry>();
  #old = new Map<string, MemoEntry>();
  #bytes = 0;

  get(cookie: string): MemoEntry | undefined {
    const entry = this.#young.get(cookie);
    if (entry !== undefined || this.#old.size === 0) return entry;
    const older = this.#old.get(cookie);
    if (older !== undefined) this.set(cookie, older);
    return older;
  }

  set(cookie: string, entry: MemoEntry): void {
    this.#young.set(cookie, entry);
    this.#bytes += entry.bytes;
    if (this.#young.size < MOST_ENTRIES && this.#bytes < MOST_BYTES) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#bytes = 0;
  }

  delete(cookie: string): void {
    this.#young.delete(cookie);
    this.#old.delete(cookie);
  }
}
