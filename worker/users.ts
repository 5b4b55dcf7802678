/** Which sessions each user holds, in the order in which they became theirs. Manager's thread; rebuilt from the table, never stored. */

const NOBODY = -1;

export class Users {
  /** A user's first slot, by the bytes of the user id as latin1 text. */
  readonly #first = new Map<string, number>();
  /** Circular lists: the first slot's `before` is the last. Slots are stored plus one, 0 means in no list. */
  readonly #after: Int32Array;
  readonly #before: Int32Array;
  /** How many sessions, at the first slot of the list. */
  readonly #count: Int32Array;

  constructor(slots: number) {
    this.#after = new Int32Array(slots);
    this.#before = new Int32Array(slots);
    this.#count = new Int32Array(slots);
  }

  count(user: string): number {
    const first = this.#first.get(user);
    return first === undefined ? 0 : (this.#count[first] as number);
  }

  first(user: string): number {
    return this.#first.get(user) ?? NOBODY;
  }

  /** The next slot of the same user, or -1 behind the last. */
  after(user: string, slot: number): number {
    const next = (this.#after[slot] as number) - 1;
    return next === this.first(user) ? NOBODY : next;
  }

  /** Adds a slot behind the others, and returns which was last before; -1 if none was. */
  add(user: string, slot: number): number {
    const first = this.#first.get(user);
    if (first === undefined) {
      this.#first.set(user, slot);
      this.#after[slot] = slot + 1;
      this.#before[slot] = slot + 1;
      this.#count[slot] = 1;
      return NOBODY;
    }
    const last = (this.#before[first] as number) - 1;
    this.#after[last] = slot + 1;
    this.#before[slot] = last + 1;
    this.#after[slot] = first + 1;
    this.#before[first] = slot + 1;
    this.#count[first] = (this.#count[first] as number) + 1;
    return last;
  }

  /** Puts a user's slots in order. */
  sort(user: string, order: (one: number, other: number) => number): void {
    const slots: number[] = [];
    for (let slot = this.first(user); slot >= 0; slot = this.after(user, slot)) slots.push(slot);
    for (const slot of slots) this.remove(user, slot);
    for (const slot of slots.sort(order)) this.add(user, slot);
  }

  remove(user: string, slot: number): void {
    const next = (this.#after[slot] as number) - 1;
    const last = (this.#before[slot] as number) - 1;
    if (next < 0) return;
    const first = this.#first.get(user) as number;
    const left = (this.#count[first] as number) - 1;
    if (left === 0) {
      this.#first.delete(user);
    } else {
      this.#after[last] = next + 1;
      this.#before[next] = last + 1;
      if (first === slot) this.#first.set(user, next);
      this.#count[first === slot ? next : first] = left;
    }
    this.#after[slot] = 0;
    this.#before[slot] = 0;
  }
}
