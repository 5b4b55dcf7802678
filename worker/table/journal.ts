/**
 * Writing a connection's journal, and reading what a former manager wrote. Manager's thread. src/protocol/journal.ts
 * defines the format.
 */

import { ANSWERS, type Answer, MOST_IN_FLIGHT } from '../../src/protocol/calls.js';
import { CLOSING_MANY, ENTRY, JOURNAL } from '../../src/protocol/journal.js';
import { numbersOf, wordsOf } from '../../src/protocol/memory.js';
import type { Owner } from './owner.js';

/** What a call changes and answers, noted before it is published. */
interface Intent {
  readonly slot: number;
  readonly generation: number;
  readonly createdAt: number;
  /** The pointer to the value that the answer contains; 0 for none. */
  readonly pinned: number;
}

/** How far an ending of many sessions has come. */
export interface Closing {
  /** When it began: sessions that were created later are not ended. */
  readonly at: number;
  readonly count: number;
}

const placeOf = (call: number): number => JOURNAL.entries + (call & (MOST_IN_FLIGHT - 1)) * JOURNAL.entryWords;

export class Journal {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #owner: Owner;
  /** Where the entry of the current call begins. */
  #entry: number = JOURNAL.entries;

  constructor(memory: SharedArrayBuffer, owner: Owner) {
    this.#words = wordsOf(memory);
    this.#numbers = numbersOf(memory);
    this.#owner = owner;
  }

  /** Whether a call was answered, by this manager or a former one, and its entry is still there. */
  isDone(call: number): boolean {
    const isBehind = ((call - (this.#words[JOURNAL.done] as number)) | 0) <= 0;
    return isBehind && this.#field(call, ENTRY.call) === (call | 0);
  }

  /** Makes this call the current one, with an empty entry. */
  beginCall(call: number): void {
    this.#entry = placeOf(call);
    this.#owner.check();
    this.#words[this.#entry + ENTRY.slot] = -1;
    this.#words[this.#entry + ENTRY.pinned] = 0;
    this.#words[this.#entry + ENTRY.call] = call | 0;
  }

  /** Makes the call that a former manager died in the current one. The entry of an ending of many sessions is kept. */
  resumeCall(call: number): void {
    if (this.#words[placeOf(call) + ENTRY.slot] === CLOSING_MANY) this.#entry = placeOf(call);
    else this.beginCall(call);
  }

  /** Notes what the current call is about to publish. */
  noteIntent(intent: Intent): void {
    const entry = this.#entry;
    const words = this.#words;
    this.#owner.check();
    words[entry + ENTRY.generation] = intent.generation;
    this.#numbers[(entry + ENTRY.createdAt) / 2] = intent.createdAt;
    words[entry + ENTRY.pinned] = intent.pinned;
    words[entry + ENTRY.slot] = intent.slot;
  }

  /** Notes the number that the current call answers. */
  noteCount(count: number): void {
    this.#owner.check();
    this.#words[this.#entry + ENTRY.count] = count;
  }

  /**
   * Notes that the current call, an ending of many sessions, begins; or returns how far it came under a former manager.
   */
  beginClosing(at: number): Closing {
    const entry = this.#entry;
    const words = this.#words;
    if (words[entry + ENTRY.slot] === CLOSING_MANY) return this.#closingIn(entry);
    this.#owner.check();
    words[entry + ENTRY.count] = 0;
    this.#numbers[(entry + ENTRY.createdAt) / 2] = at;
    words[entry + ENTRY.slot] = CLOSING_MANY;
    return { at, count: 0 };
  }

  #closingIn(entry: number): Closing {
    const at = this.#numbers[(entry + ENTRY.createdAt) / 2] as number;
    return { at, count: (this.#words[entry + ENTRY.count] as number) >>> 0 };
  }

  /** Notes the answer to the current call. */
  answered(call: number, answer: Answer): void {
    const place = ANSWERS.indexOf(answer);
    this.#owner.check();
    this.#words[placeOf(call) + ENTRY.answer] = place;
    // Atomic: a successor that sees the call as done also sees its answer.
    Atomics.store(this.#words, JOURNAL.done, call | 0);
  }

  // ------------------------------------------------------------ what a former manager left

  /** The answer that was given to a call. */
  answerOf(call: number): Answer {
    return ANSWERS[this.#field(call, ENTRY.answer)] ?? 'malformed';
  }

  intentOf(call: number): Intent {
    return {
      slot: this.#field(call, ENTRY.slot),
      generation: this.#field(call, ENTRY.generation),
      createdAt: this.#numbers[(placeOf(call) + ENTRY.createdAt) / 2] as number,
      pinned: this.#field(call, ENTRY.pinned),
    };
  }

  countOf(call: number): number {
    return this.#field(call, ENTRY.count) >>> 0;
  }

  #field(call: number, field: number): number {
    return this.#words[placeOf(call) + field] as number;
  }

  /** The ending of many sessions that this call had begun; undefined for any other call. */
  closingOf(call: number): Closing | undefined {
    return this.#field(call, ENTRY.slot) === CLOSING_MANY ? this.#closingIn(placeOf(call)) : undefined;
  }

  /** Notes the count of a slice that was decided, in case its manager died before it noted it. */
  settleClosing(call: number, count: number): void {
    this.#entry = placeOf(call);
    this.noteCount(count);
  }

  /** The calls after `settled` that were answered and for whose answers a value is pinned. */
  *pinned(settled: number): Iterable<{ readonly call: number; readonly pointer: number }> {
    const answered = ((this.#words[JOURNAL.done] as number) - settled) | 0;
    for (let n = 1; n <= Math.min(answered, MOST_IN_FLIGHT); n++) {
      const call = (settled + n) | 0;
      const pointer = this.#field(call, ENTRY.pinned);
      if (pointer > 0 && this.#field(call, ENTRY.call) === call) yield { call, pointer };
    }
  }
}
