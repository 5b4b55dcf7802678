/** A record's head as plain numbers, parsed from and formatted to its words. Used in every thread. */

import { DIGEST_WORDS, FLAG, HEAD, headWords, MAX_HEAD_WORDS, SEALED_BYTES } from './layout.js';

const pair = new Int32Array(2);
const pairAsF64 = new Float64Array(pair.buffer);

/** A number of eight bytes at a word of a record. */
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
 * One head, made to be filled again and again. `digest`, `id`, `previousDigest` and `sealed` are words of its own.
 * `Infinity` in `idle` and `expiresAt` means never; NaN in `authenticatedAt` means not at all.
 */
export class Head {
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
  /** The digest is that of a caller's own key, and not of a token. */
  isKeyed = false;
  /** 0: it ends with no connection. */
  linkedTo = 0;
  readonly digest = new Int32Array(DIGEST_WORDS);
  readonly id = new Int32Array(4);
  readonly previousDigest = new Int32Array(DIGEST_WORDS);
  readonly sealed = new Int32Array(SEALED_BYTES / 4);

  /** Words of this head as it stands in its record. */
  get words(): number {
    return headWords(this.flags);
  }

  /** Where the data begins, in bytes of the record. */
  get dataStart(): number {
    return this.words * 4 + this.userBytes + this.clientBytes;
  }

  get dataBytes(): number {
    return this.length - this.dataStart;
  }

  /** When it ends if it is not seen after `seen`: whichever timeout comes first. */
  endsAt(seen: number): number {
    return Math.min(seen + this.idle, this.expiresAt);
  }

  /** Makes it the head of a session that begins now and has nothing yet. */
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

  /** Reads the head from the words of a record. */
  parse(words: Int32Array): void {
    const flags = words[HEAD.flags] as number;
    this.slot = words[HEAD.slot] as number;
    this.generation = words[HEAD.generation] as number;
    this.stampLow = words[HEAD.stampLow] as number;
    this.stampHigh = words[HEAD.stampHigh] as number;
    this.length = words[HEAD.length] as number;
    this.flags = flags;
    for (let i = 0; i < DIGEST_WORDS; i++) this.digest[i] = words[HEAD.digest + i] as number;
    for (let i = 0; i < 4; i++) this.id[i] = words[HEAD.id + i] as number;
    this.version = words[HEAD.version] as number;
    this.createdAt = readF64(words, HEAD.createdAt);
    this.call = readF64(words, HEAD.call);
    this.connection = words[HEAD.connection] as number;
    this.userBytes = (words[HEAD.lengths] as number) & 0xffff;
    this.clientBytes = (words[HEAD.lengths] as number) >>> 16;
    this.bodySum = words[HEAD.bodySum] as number;
    let at: number = HEAD.words;
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

  /** Sets `flags` to what the fields need. Before `format`, and before `words` is asked. */
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

  /** Writes the head to the words of a record, its own checksum excepted; returns how many words it takes. */
  format(words: Int32Array): number {
    const flags = this.flags;
    words[HEAD.slot] = this.slot;
    words[HEAD.generation] = this.generation;
    words[HEAD.stampLow] = this.stampLow;
    words[HEAD.stampHigh] = this.stampHigh;
    words[HEAD.length] = this.length;
    words[HEAD.flags] = flags;
    words.set(this.digest, HEAD.digest);
    words.set(this.id, HEAD.id);
    words[HEAD.version] = this.version;
    writeF64(words, HEAD.createdAt, this.createdAt);
    writeF64(words, HEAD.call, this.call);
    words[HEAD.connection] = this.connection;
    words[HEAD.lengths] = this.userBytes | (this.clientBytes << 16);
    words[HEAD.bodySum] = this.bodySum;
    let at: number = HEAD.words;
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

/** Words that hold any head, rounded up to whole cells. */
export const HEAD_SCRATCH_WORDS = MAX_HEAD_WORDS + 16;
