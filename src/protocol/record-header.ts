/** A record's header as plain numbers, parsed from and formatted to its words. Used in every thread. */

import {
  DIGEST_WORDS,
  FLAG,
  MAX_RECORD_HEADER_WORDS,
  RECORD_HEADER,
  recordHeaderWords,
  SEALED_BYTES,
} from './layout.js';

const pair = new Int32Array(2);
const pairAsF64 = new Float64Array(pair.buffer);

/** Reads a number of eight bytes from two words of a record. */
export function readF64(words: Int32Array, at: number): number {
  pair[0] = words[at] as number;
  pair[1] = words[at + 1] as number;
  return pairAsF64[0] as number;
}

function writeF64(words: Int32Array, at: number, value: number): void {
  pairAsF64[0] = value;
  words[at] = pair[0] as number;
  words[at + 1] = pair[1] as number;
}

/**
 * One record header, made to be filled again and again. `digest`, `id`, `previousDigest` and `sealed` are its own
 * words, overwritten by the next `parse`. `Infinity` in `idle` and `expiresAt` means never; NaN in `authenticatedAt`
 * means that nobody has logged in.
 */
export class RecordHeader {
  slot = 0;
  generation = 0;
  stampLow = 0;
  stampHigh = 0;
  length = 0;
  flags = 0;
  version = 0;
  createdAt = 0;
  call = 0;
  connection = 0;
  userBytes = 0;
  clientBytes = 0;
  bodySum = 0;
  idle = Number.POSITIVE_INFINITY;
  expiresAt = Number.POSITIVE_INFINITY;
  tokenIssuedAt = 0;
  authenticatedAt = Number.NaN;
  graceUntil = 0;
  hasPrevious = false;
  /** The digest is that of a caller's own key, not of a token. */
  isKeyed = false;
  /** The connection that the session ends with; 0 for none. */
  linkedTo = 0;
  readonly digest = new Int32Array(DIGEST_WORDS);
  readonly id = new Int32Array(4);
  readonly previousDigest = new Int32Array(DIGEST_WORDS);
  readonly sealed = new Int32Array(SEALED_BYTES / 4);

  /** Words that this header takes in its record. */
  get headerWords(): number {
    return recordHeaderWords(this.flags);
  }

  /** Where the parts of the body begin, in bytes of the record. */
  get userStart(): number {
    return this.headerWords * 4;
  }

  get clientStart(): number {
    return this.userStart + this.userBytes;
  }

  get dataStart(): number {
    return this.clientStart + this.clientBytes;
  }

  get dataBytes(): number {
    return this.length - this.dataStart;
  }

  /** Since when the session has belonged to its user: since the login, or else since its creation. */
  get userSince(): number {
    return Number.isNaN(this.authenticatedAt) ? this.createdAt : this.authenticatedAt;
  }

  /** When the session ends if it is not seen after `seen`: by whichever timeout comes first. */
  endsAt(seen: number): number {
    return Math.min(seen + this.idle, this.expiresAt);
  }

  /** Makes it the header of a session that begins now. */
  begin(slot: number, generation: number, now: number): void {
    this.slot = slot;
    this.generation = generation;
    this.version = 0;
    this.createdAt = now;
    this.tokenIssuedAt = now;
    this.authenticatedAt = Number.NaN;
    this.hasPrevious = false;
    this.isKeyed = false;
  }

  /** Reads the header from the words of a record. */
  parse(words: Int32Array): void {
    const flags = words[RECORD_HEADER.flags] as number;
    this.slot = words[RECORD_HEADER.slot] as number;
    this.generation = words[RECORD_HEADER.generation] as number;
    this.stampLow = words[RECORD_HEADER.stampLow] as number;
    this.stampHigh = words[RECORD_HEADER.stampHigh] as number;
    this.length = words[RECORD_HEADER.length] as number;
    this.flags = flags;
    for (let i = 0; i < DIGEST_WORDS; i++) this.digest[i] = words[RECORD_HEADER.digest + i] as number;
    for (let i = 0; i < 4; i++) this.id[i] = words[RECORD_HEADER.id + i] as number;
    this.version = words[RECORD_HEADER.version] as number;
    this.createdAt = readF64(words, RECORD_HEADER.createdAt);
    this.call = readF64(words, RECORD_HEADER.call);
    this.connection = words[RECORD_HEADER.connection] as number;
    this.userBytes = (words[RECORD_HEADER.lengths] as number) & 0xffff;
    this.clientBytes = (words[RECORD_HEADER.lengths] as number) >>> 16;
    this.bodySum = words[RECORD_HEADER.bodySum] as number;
    let at: number = RECORD_HEADER.words;
    const next = (flag: number, otherwise: number): number => {
      if (!(flags & flag)) return otherwise;
      at += 2;
      return readF64(words, at - 2);
    };
    this.idle = next(FLAG.idle, Number.POSITIVE_INFINITY);
    this.expiresAt = next(FLAG.expiresAt, Number.POSITIVE_INFINITY);
    this.tokenIssuedAt = next(FLAG.tokenIssuedAt, this.createdAt);
    this.authenticatedAt = next(FLAG.authenticatedAt, Number.NaN);
    this.linkedTo = next(FLAG.linkedTo, 0);
    this.isKeyed = (flags & FLAG.keyed) !== 0;
    this.hasPrevious = (flags & FLAG.previous) !== 0;
    this.graceUntil = 0;
    if (!this.hasPrevious) return;
    for (let i = 0; i < DIGEST_WORDS; i++) this.previousDigest[i] = words[at + i] as number;
    at += DIGEST_WORDS;
    this.graceUntil = readF64(words, at);
    at += 2;
    for (let i = 0; i < this.sealed.length; i++) this.sealed[i] = words[at + i] as number;
  }

  /** Sets `flags` to what the fields need. To be called before `format` and before `headerWords` is read. */
  settle(): void {
    let flags = 0;
    if (this.idle !== Number.POSITIVE_INFINITY) flags |= FLAG.idle;
    if (this.expiresAt !== Number.POSITIVE_INFINITY) flags |= FLAG.expiresAt;
    if (this.tokenIssuedAt !== this.createdAt) flags |= FLAG.tokenIssuedAt;
    if (!Number.isNaN(this.authenticatedAt)) flags |= FLAG.authenticatedAt;
    if (this.hasPrevious) flags |= FLAG.previous;
    if (this.linkedTo !== 0) flags |= FLAG.linkedTo;
    if (this.isKeyed) flags |= FLAG.keyed;
    this.flags = flags;
  }

  /** Writes the header to the words of a record, except its own checksum; returns how many words it takes. */
  format(words: Int32Array): number {
    const flags = this.flags;
    words[RECORD_HEADER.slot] = this.slot;
    words[RECORD_HEADER.generation] = this.generation;
    words[RECORD_HEADER.stampLow] = this.stampLow;
    words[RECORD_HEADER.stampHigh] = this.stampHigh;
    words[RECORD_HEADER.length] = this.length;
    words[RECORD_HEADER.flags] = flags;
    words.set(this.digest, RECORD_HEADER.digest);
    words.set(this.id, RECORD_HEADER.id);
    words[RECORD_HEADER.version] = this.version;
    writeF64(words, RECORD_HEADER.createdAt, this.createdAt);
    writeF64(words, RECORD_HEADER.call, this.call);
    words[RECORD_HEADER.connection] = this.connection;
    words[RECORD_HEADER.lengths] = this.userBytes | (this.clientBytes << 16);
    words[RECORD_HEADER.bodySum] = this.bodySum;
    let at: number = RECORD_HEADER.words;
    const put = (flag: number, value: number): void => {
      if (!(flags & flag)) return;
      writeF64(words, at, value);
      at += 2;
    };
    put(FLAG.idle, this.idle);
    put(FLAG.expiresAt, this.expiresAt);
    put(FLAG.tokenIssuedAt, this.tokenIssuedAt);
    put(FLAG.authenticatedAt, this.authenticatedAt);
    put(FLAG.linkedTo, this.linkedTo);
    if (!this.hasPrevious) return at;
    words.set(this.previousDigest, at);
    at += DIGEST_WORDS;
    writeF64(words, at, this.graceUntil);
    at += 2;
    words.set(this.sealed, at);
    return at + this.sealed.length;
  }
}

/** Words that hold any record header, rounded up to whole cells. */
export const SCRATCH_WORDS = MAX_RECORD_HEADER_WORDS + 16;
