/**
 * A board in shared memory on which a writer says what readers may rely on, without a message. Each entry: a state in
 * the two lowest bits of a word, above them how often anything was said of it; the number of the last acknowledged
 * change; and a cookie. A reader that finds the same first word after its lookup as before it may rely on what it says:
 * the session was alive all the time, or closed all the time.
 */

export const STATE = { unsaid: 0, alive: 1, closed: 2, closing: 3 } as const;

const ENTRY_WORDS = 16;
const COOKIE_AT = 8;

export class Board {
  readonly entries: number;
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(entries: number) {
    this.entries = entries;
    this.memory = new SharedArrayBuffer(entries * ENTRY_WORDS * 4);
    this.#words = new Int32Array(this.memory);
    this.#bytes = new Uint8Array(this.memory);
  }

  /** What a reader's `workerData` needs. */
  get forReaders() {
    return { board: this.memory, entries: this.entries, entryWords: ENTRY_WORDS, cookieAt: COOKIE_AT };
  }

  say(entry: number, state: number): void {
    const at = entry * ENTRY_WORDS;
    Atomics.store(this.#words, at, (((this.#words[at] as number) >>> 2) + 1) * 4 + state);
  }

  acknowledge(entry: number, change: number): void {
    Atomics.store(this.#words, entry * ENTRY_WORDS + 1, change);
  }

  /** Hangs another cookie out; what is said of the entry must be nothing meanwhile. */
  hang(entry: number, cookie: string): void {
    const at = entry * ENTRY_WORDS * 4 + COOKIE_AT;
    for (let i = 0; i < cookie.length; i++) this.#bytes[at + i] = cookie.charCodeAt(i);
  }
}
