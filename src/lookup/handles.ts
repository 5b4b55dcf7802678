/**
 * The sessions that this thread holds: one object for one live session, for as long as anyone holds it. Used in every
 * thread of the host.
 */

import type { WatchedSession } from '../session/context.js';
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
const GROUP_SIZE = 16;

/** Handles by slot, held weakly but for the group that is being filled; those whose `signal` is in use, strongly. */
export class Handles {
  /** An array, as slots are let from the lowest on: its places are found faster than those of a Map. */
  readonly #bySlot: (Group | undefined)[] = [];
  readonly #groups = new Set<Group>();
  readonly #watched = new Map<number, WatchedSession>();
  #openGroup: Group | undefined;
  #handles: SessionHandle[] = [];
  /**
   * Goes round all groups, over and over: two for each that is begun, so that dead ones are never more than half as
   * many again as there were groups.
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
    // A slot that was let again: the notice that its former session is over has yet to come.
    const former = this.#watched.get(handle.slot);
    if (former !== undefined && former.generation !== handle.generation) former.markEnded(undefined);
    this.#watched.set(handle.slot, handle);
  }

  /** The sessions that are watched. Those that are unwatched meanwhile are passed over. */
  allWatched(): Iterable<WatchedSession> {
    return this.#watched.values();
  }

  isWatched(handle: WatchedSession): boolean {
    return this.#watched.get(handle.slot) === handle;
  }

  /** The sessions that are watched, as pairs of slot and generation. */
  get watched(): Int32Array {
    return Int32Array.from([...this.#watched.values()].flatMap(({ slot, generation }) => [slot, generation]));
  }

  /** The watched handle of a session that is over; it is not watched any more. */
  unwatch(slot: number, generation: number): WatchedSession | undefined {
    const handle = this.#watched.get(slot);
    if (handle?.generation !== generation) return undefined;
    this.#watched.delete(slot);
    return handle;
  }
}
