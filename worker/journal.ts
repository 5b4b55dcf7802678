/** Writing a connection's journal, and reading what a former manager wrote. Manager's thread. What it means is drawn in src/protocol/journal.ts. */

import { ANSWERS, type Answer } from '../src/protocol/calls.js';
import { ENTRY, JOURNAL } from '../src/protocol/journal.js';
import type { Owner } from './owner.js';

/** What a call changes and answers, noted before it is published. */
export interface Intent {
  readonly slot: number;
  readonly generation: number;
  readonly createdAt: number;
  /** The record that holds the answer; 0: none. */
  readonly pinned: number;
}

export class Journal {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #owner: Owner;
  readonly #room: number;
  /** Where the entry of the call at hand begins; 0 where there is none. */
  #entry = 0;

  constructor(memory: SharedArrayBuffer, owner: Owner) {
    this.#words = new Int32Array(memory, 0, memory.byteLength >> 2);
    this.#numbers = new Float64Array(memory, 0, memory.byteLength >> 3);
    this.#owner = owner;
    this.#room = Math.max(0, Math.floor((this.#words.length - JOURNAL.entries) / JOURNAL.entryWords));
  }

  /** Opens the journal for a batch. Returns how many of its calls a former manager has answered; -1 for a batch that none has begun. */
  begin(first: number, count: number): number {
    const words = this.#words;
    this.#entry = 0;
    if (count < 1 || count > this.#room) return -1;
    if (words[JOURNAL.count] === count && this.#numbers[JOURNAL.first / 2] === first) {
      return Math.min(Math.max(words[JOURNAL.done] as number, 0), count);
    }
    this.#owner.check();
    // Without a count there is no batch, as long as the rest says nothing whole.
    Atomics.store(words, JOURNAL.count, 0);
    this.#numbers[JOURNAL.first / 2] = first;
    words[JOURNAL.done] = 0;
    Atomics.store(words, JOURNAL.count, count);
    return -1;
  }

  /** Turns to a call of the batch, with nothing noted of it. */
  turnTo(call: number): void {
    const entry = JOURNAL.entries + call * JOURNAL.entryWords;
    if (call >= this.#room) return;
    this.#entry = entry;
    this.#owner.check();
    this.#words[entry + ENTRY.slot] = -1;
    this.#words[entry + ENTRY.pinned] = 0;
  }

  /** Notes what the call at hand is about to publish. */
  intend(intent: Intent): void {
    const entry = this.#entry;
    if (entry === 0) return;
    const words = this.#words;
    this.#owner.check();
    words[entry + ENTRY.generation] = intent.generation;
    this.#numbers[(entry + ENTRY.createdAt) / 2] = intent.createdAt;
    words[entry + ENTRY.pinned] = intent.pinned;
    words[entry + ENTRY.slot] = intent.slot;
  }

  /** Notes the number that the call at hand answers. */
  intendCount(count: number): void {
    if (this.#entry === 0) return;
    this.#owner.check();
    this.#words[this.#entry + ENTRY.count] = count;
  }

  /** The call at hand, the batch's `call`th, is answered. */
  answered(call: number, answer: Answer): void {
    const entry = this.#entry;
    if (entry === 0) return;
    const place = ANSWERS.indexOf(answer);
    this.#owner.check();
    this.#words[entry + ENTRY.answer] = place;
    // Atomic: who finds the call done finds the answer.
    Atomics.store(this.#words, JOURNAL.done, call + 1);
  }

  // ------------------------------------------------------------ what a former manager left

  /** The answer that a former manager gave to a call of this batch. */
  answerOf(call: number): Answer {
    return ANSWERS[this.#field(call, ENTRY.answer)] ?? 'malformed';
  }

  intentOf(call: number): Intent {
    const entry = JOURNAL.entries + call * JOURNAL.entryWords;
    return {
      slot: this.#field(call, ENTRY.slot),
      generation: this.#field(call, ENTRY.generation),
      createdAt: this.#numbers[(entry + ENTRY.createdAt) / 2] as number,
      pinned: this.#field(call, ENTRY.pinned),
    };
  }

  countOf(call: number): number {
    return this.#field(call, ENTRY.count) >>> 0;
  }

  #field(call: number, field: number): number {
    return this.#words[JOURNAL.entries + call * JOURNAL.entryWords + field] as number;
  }

  /** The call that was under way when its manager died, by its place in the batch and its number; undefined if none was. */
  inDoubt(): { readonly place: number; readonly call: number } | undefined {
    const words = this.#words;
    const count = words[JOURNAL.count] as number;
    const done = words[JOURNAL.done] as number;
    if (count < 1 || count > this.#room || !(done >= 0 && done < count)) return undefined;
    return { place: done, call: (this.#numbers[JOURNAL.first / 2] as number) + done };
  }

  /** The call in doubt turned out to be done. */
  settle(place: number): void {
    this.#entry = JOURNAL.entries + place * JOURNAL.entryWords;
    this.answered(place, 'done');
    this.#entry = 0;
  }

  /** Records that hold answers which may not have arrived. */
  *pinned(): Iterable<number> {
    const words = this.#words;
    const count = Math.min(words[JOURNAL.count] as number, this.#room);
    const done = Math.min(words[JOURNAL.done] as number, count);
    for (let call = 0; call < done; call++) {
      const pointer = this.#field(call, ENTRY.pinned);
      if (pointer > 0) yield pointer;
    }
  }
}
