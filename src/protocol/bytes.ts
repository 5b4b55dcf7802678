/**
 * Writing and reading packed bytes, of which calls, replies, notices and session data are made. Used in every thread.
 */

/** A `ByteReader` ran past its end, or read something that no writer of this build writes. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes';
}

/** Whether `a` from `start` to `end` is the same as `b` from `from` to `to`. */
export function sameBytes(a: Uint8Array, b: Uint8Array, start = 0, end = a.length, from = 0, to = b.length): boolean {
  const length = end - start;
  if (length !== to - from) return false;
  for (let i = 0; i < length; i++) if (a[start + i] !== b[from + i]) return false;
  return true;
}

const NO_BYTES = new Uint8Array(0);
/** Numbers are copied here to be read: less work than a DataView for each reader. */
const eightBytes = new Uint8Array(8);
const asNumber = new DataView(eightBytes.buffer);

/**
 * A buffer that grows as it is written to. It never hands out its own memory: `copy` copies. Little-endian throughout.
 */
export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Appends `more` bytes, which the caller writes, and returns where they start. */
  reserve(more: number): number {
    const start = this.length;
    const end = start + more;
    if (end > this.bytes.length) this.#grow(end);
    this.length = end;
    return start;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.reserve(8);
    this.view.setFloat64(at, value, true);
  }

  /** An unsigned integer below 2^32, seven bits per byte, the lowest bits first. */
  varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  raw(source: Uint8Array): void {
    const at = this.reserve(source.length);
    this.bytes.set(source, at);
  }

  /** A copy of what was written, in a buffer of exactly that size: it can be transferred. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  /**
   * Empties the writer. A buffer of more than `maxRetained` bytes, left by one large use, is replaced by a small one.
   */
  reset(maxRetained = 1 << 20): void {
    this.length = 0;
    if (this.bytes.length > maxRetained) {
      this.bytes = new Uint8Array(maxRetained >> 4);
      this.view = new DataView(this.bytes.buffer);
    }
  }
}

/**
 * Reads what a `ByteWriter` wrote. Every read is checked against the end, so no length in the bytes is trusted before
 * those bytes are known to be there.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  #view: DataView | undefined;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /**
   * Created on first use: a DataView costs as much as reading twenty bytes, and not all data contain numbers of fixed
   * size.
   */
  get view(): DataView {
    const { bytes } = this;
    this.#view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.#view;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Skips `count` bytes and returns where they start. */
  skip(count: number): number {
    const start = this.at;
    if (!(count >= 0 && count <= this.end - start)) throw new MalformedBytes('ran past the end');
    this.at = start + count;
    return start;
  }

  u8(): number {
    const { at } = this;
    if (at >= this.end) throw new MalformedBytes('ran past the end');
    this.at = at + 1;
    return this.bytes[at] as number;
  }

  u16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  f64(): number {
    const at = this.skip(8);
    for (let i = 0; i < 8; i++) eightBytes[i] = this.bytes[at + i] as number;
    return asNumber.getFloat64(0, true);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new MalformedBytes('number too long');
  }

  /** A view of the next `count` bytes; it shares their memory. */
  raw(count: number): Uint8Array {
    const start = this.skip(count);
    return count === 0 ? NO_BYTES : this.bytes.subarray(start, start + count);
  }
}
