/** The record that is written next: its header is changed field by field, its body is appended. Manager's thread. */

import { DIGEST_WORDS, FLAG, RECORD_HEADER } from '../../src/protocol/layout.js';
import { SessionRecord, writeF64 } from '../../src/protocol/record.js';

/** What a record contains behind its header. */
export interface Body {
  readonly user: Uint8Array;
  readonly client: Uint8Array;
  readonly data: Uint8Array;
}

export class RecordDraft extends SessionRecord {
  /** Makes it the header of a session that begins now. `digest` and `id` are to be set. */
  begin(slot: number, generation: number, now: number): void {
    this.words.fill(0, 0, RECORD_HEADER.words);
    this.words[RECORD_HEADER.slot] = slot;
    this.words[RECORD_HEADER.generation] = generation;
    writeF64(this.words, RECORD_HEADER.createdAt, now);
  }

  /** Makes it the header of another record of the same session. */
  continue(record: SessionRecord): void {
    const { words } = this;
    const count = record.headerWords;
    for (let i = 0; i < count; i++) words[i] = record.words[i] as number;
  }

  /** The call that publishes the record. */
  madeBy(connection: number, call: number): void {
    this.words[RECORD_HEADER.connection] = connection;
    writeF64(this.words, RECORD_HEADER.call, call);
  }

  raiseVersion(): void {
    this.words[RECORD_HEADER.version] = this.version + 1;
  }

  setIdle(idle: number): void {
    this.#setNumber(FLAG.idle, idle, idle !== Number.POSITIVE_INFINITY);
  }

  setExpiresAt(at: number): void {
    this.#setNumber(FLAG.expiresAt, at, at !== Number.POSITIVE_INFINITY);
  }

  setTokenIssuedAt(at: number): void {
    this.#setNumber(FLAG.tokenIssuedAt, at, at !== this.createdAt);
  }

  setAuthenticatedAt(at: number): void {
    this.#setNumber(FLAG.authenticatedAt, at, true);
  }

  setLinkedTo(connection: number): void {
    this.#setNumber(FLAG.linkedTo, connection, connection !== 0);
  }

  setKeyed(): void {
    this.#setFlags(this.flags | FLAG.keyed);
  }

  /** Sets a number of eight bytes, for which there are words only if it is needed. */
  #setNumber(flag: number, value: number, isNeeded: boolean): void {
    const { flags, words } = this;
    const at = this.placeOf(flag);
    const isThere = (flags & flag) !== 0;
    const end = this.headerWords;
    if (isNeeded && !isThere) words.copyWithin(at + 2, at, end);
    if (!isNeeded && isThere) words.copyWithin(at, at + 2, end);
    this.#setFlags(isNeeded ? flags | flag : flags & ~flag);
    if (isNeeded) writeF64(words, at, value);
  }

  #setFlags(flags: number): void {
    this.words[RECORD_HEADER.flags] = flags;
  }

  setPrevious(digest: Int32Array, graceUntil: number, sealed: Int32Array): void {
    this.#setFlags(this.flags | FLAG.previous);
    const at = this.previousAt;
    this.words.set(digest, at);
    writeF64(this.words, at + DIGEST_WORDS, graceUntil);
    this.words.set(sealed, at + DIGEST_WORDS + 2);
  }

  forgetPrevious(): void {
    this.#setFlags(this.flags & ~FLAG.previous);
  }

  /** Appends the body, sets the record's lengths, and returns how many words it has. */
  append({ user, client, data }: Body): number {
    const userAt = this.headerWords * 4;
    const clientAt = userAt + user.length;
    const dataAt = clientAt + client.length;
    const length = dataAt + data.length;
    const count = Math.ceil(length / 4);
    this.ensureLength(count);
    const { words, bytes } = this;
    // The last word may be filled only in part. Without a body, it is the header's.
    if (count > this.headerWords) words[count - 1] = 0;
    bytes.set(user, userAt);
    bytes.set(client, clientAt);
    bytes.set(data, dataAt);
    words[RECORD_HEADER.length] = length;
    words[RECORD_HEADER.lengths] = user.length | (client.length << 16);
    return count;
  }
}
