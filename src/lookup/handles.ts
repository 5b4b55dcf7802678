/**
 * The session handles of this thread: as long as anyone holds a session, every lookup returns the same object. Used in
 * every thread of the host.
 */

import type { WatchedSession } from '../session/context.js';
import type { SessionHandle } from '../session/session.js';

/**
 * Handles that were added one after another share one WeakRef, as a WeakRef for each would cost more than everything
 * else of a new session. Each handle refers to its group, so a handle that is held keeps its 15 neighbours in memory.
 */
interface Group {
  readonly handles: WeakRef<SessionHandle[]>;
  /** The slot of each handle, so that a group can be searched without dereferencing it. */
  readonly slots: number[];
  readonly generations: number[];
}
const GROUP_SIZE = 16;

/**
 * Handles by slot. They are held weakly, except those of the group that is being filled and those whose `signal` is in
 * use.
 */
export class Handles {
  /** An array, not a Map: slots are allocated from the lowest on, and indexing is faster. */
  readonly #bySlot: (Group | undefined)[] = [];
  readonly #groups = new Set<Group>();
  readonly #watched = new Map<number, WatchedSession>();
  #openGroup: Group | undefined;
  #handles: SessionHandle[] = [];
  /**
   * Iterates over all groups again and again, two steps for each new group: so the dead groups never amount to more
   * than half of the others.
   */
  #cursor = this.#groups.values();

  get(slot: number, generation: number): SessionHandle | undefined {
    const group = this.#bySlot[slot];
    const at = group === undefined ? -1 : group.slots.lastIndexOf(slot);
    return group?.generations[at] === generation ? group.handles.deref()?.[at] : undefined;
  }

  add(handle: SessionHandle): void {
    if (handle.group !== undefined) return;
    if (this.#openGroup === undefined || this.#handles.length === GROUP_SIZE) this.#openGroup = this.#startGroup();
    this.#handles.push(handle);
    handle.setGroup(this.#handles);
    this.#openGroup.slots.push(handle.slot);
    this.#openGroup.generations.push(handle.generation);
    this.#bySlot[handle.slot] = this.#openGroup;
  }

  #startGroup(): Group {
    this.#collectNext();
    this.#collectNext();
    this.#handles = [];
    const group = { handles: new WeakRef(this.#handles), slots: [], generations: [] };
    this.#groups.add(group);
    return group;
  }

  #collectNext(): void {
    const { value: group, done } = this.#cursor.next();
    if (done) this.#cursor = this.#groups.values();
    else if (group.handles.deref() === undefined) {
      this.#groups.delete(group);
      for (const slot of group.slots) if (this.#bySlot[slot] === group) this.#bySlot[slot] = undefined;
    }
  }

  watch(handle: WatchedSession): void {
    // The slot has been allocated again, and the notice that its former session has ended has not arrived yet.
    const former = this.#watched.get(handle.slot);
    if (former !== undefined && former.generation !== handle.generation) former.markEnded(undefined);
    this.#watched.set(handle.slot, handle);
  }

  /** The watched sessions. Those that are removed during the iteration are skipped. */
  allWatched(): Iterable<WatchedSession> {
    return this.#watched.values();
  }

  isWatched(handle: WatchedSession): boolean {
    return this.#watched.get(handle.slot) === handle;
  }

  /** The watched sessions as pairs of slot and generation. */
  get watched(): Int32Array {
    return Int32Array.from([...this.#watched.values()].flatMap(({ slot, generation }) => [slot, generation]));
  }

  /** Removes a session that has ended, and returns it. */
  unwatch(slot: number, generation: number): WatchedSession | undefined {
    const handle = this.#watched.get(slot);
    if (handle?.generation !== generation) return undefined;
    this.#watched.delete(slot);
    return handle;
  }
}
