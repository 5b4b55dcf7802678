/**
 * Strings as bytes and back, exactly, lone surrogates included; each string has one form only. Used in every thread.
 */

import { Buffer } from 'node:buffer';
import { ByteReader, type ByteWriter, MalformedBytes } from '../bytes.js';
import { LATIN1, MAX_SHORT, SHORT_STRING, UTF8, UTF16 } from './tags.js';

/**
 * What Buffers have for text. Called on plain Uint8Arrays, which Node allows, so that no Buffer has to be made for it.
 */
interface TextOfBytes {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
  hexSlice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, at: number, size: number): number;
  utf8Write(this: Uint8Array, text: string, at: number, size: number): number;
  ucs2Write(this: Uint8Array, text: string, at: number, size: number): number;
  hexWrite(this: Uint8Array, text: string, at: number, size: number): number;
}

export const textOfBytes = Buffer.prototype as unknown as TextOfBytes;

/**
 * Writes a string that takes at most `room` bytes beside its tag and size; returns false, and has written nothing, if
 * it would take more.
 */
export function writeString(writer: ByteWriter, text: string, room: number): boolean {
  const length = text.length;
  if (length > room) return false;
  if (length <= MAX_SHORT) {
    const start = writer.reserve(1 + length);
    const bytes = writer.bytes;
    bytes[start] = SHORT_STRING | length;
    let at = start;
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      seen |= unit;
      bytes[++at] = unit;
    }
    if (seen < 0x100) return true;
    writer.length = start;
  }
  return writeLongString(writer, text, room);
}

function writeLongString(writer: ByteWriter, text: string, room: number): boolean {
  const length = text.length;
  const utf8Size = Buffer.byteLength(text);
  const form = utf8Size === length ? LATIN1 : formOf(text);
  const size = form === LATIN1 ? length : form === UTF8 ? utf8Size : 2 * length;
  if (size > room) return false;
  writer.u8(form);
  writer.varint(size);
  const at = writer.reserve(size);
  if (form === LATIN1) textOfBytes.latin1Write.call(writer.bytes, text, at, size);
  else if (form === UTF8) textOfBytes.utf8Write.call(writer.bytes, text, at, size);
  else textOfBytes.ucs2Write.call(writer.bytes, text, at, size);
  return true;
}

function formOf(text: string): number {
  let form = LATIN1;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x100) continue;
    form = UTF8;
    if ((unit & 0xf800) !== 0xd800) continue;
    const next = text.charCodeAt(++i);
    if (unit >= 0xdc00 || (next & 0xfc00) !== 0xdc00) return UTF16;
  }
  return form;
}

/**
 * Keys that were met before, so that the same few need not be made anew, and looked up by the engine, each time they
 * are read. Bounded; holds names of properties and no values. One for each decoder that lives long.
 */
export class KnownKeys {
  readonly #keys: string[] = new Array<string>(256).fill('');

  /** The key that stands in these bytes, one for each character. */
  find(bytes: Uint8Array, start: number, length: number): string {
    const first = bytes[start] as number;
    const middle = bytes[start + (length >> 1)] as number;
    const last = bytes[start + length - 1] as number;
    const place = (length ^ (first * 3) ^ (middle * 17) ^ (last * 41)) & 0xff;
    const known = this.#keys[place] as string;
    if (known.length === length) {
      let same = 0;
      while (same < length && known.charCodeAt(same) === bytes[start + same]) same++;
      if (same === length) return known;
    }
    const key = textOfBytes.latin1Slice.call(bytes, start, start + length);
    this.#keys[place] = key;
    return key;
  }
}

/** Longer keys are not kept. */
const LONGEST_KNOWN = 32;

/**
 * Sections up to this size become one string that the strings in them are cut from: a string cut from a larger one
 * keeps all of it in memory.
 */
const CUT_FROM_ONE = 4096;

/** Reads strings from bytes. */
export class StringReader extends ByteReader {
  readonly #known: KnownKeys | undefined;
  #whole: string | undefined;

  constructor(bytes: Uint8Array, known?: KnownKeys) {
    super(bytes);
    this.#known = known;
  }

  /** A string, after its tag was read. */
  key(tag: number): string {
    if (tag < SHORT_STRING) return this.longString(tag);
    const length = tag - SHORT_STRING;
    if (length > MAX_SHORT) throw new MalformedBytes('not a string');
    if (this.#known === undefined || length > LONGEST_KNOWN) return this.shortString(length);
    return this.#known.find(this.bytes, this.skip(length), length);
  }

  /** What follows a tag of `SHORT_STRING`. */
  shortString(length: number): string {
    const start = this.skip(length);
    const bytes = this.bytes;
    if (bytes.length > CUT_FROM_ONE) return textOfBytes.latin1Slice.call(bytes, start, start + length);
    this.#whole ??= textOfBytes.latin1Slice.call(bytes, 0, bytes.length);
    return this.#whole.slice(start, start + length);
  }

  /** What follows a tag of `LATIN1`, `UTF8` or `UTF16`. */
  longString(tag: number): string {
    if (tag !== LATIN1 && tag !== UTF8 && tag !== UTF16) throw new MalformedBytes('not a string');
    const size = this.varint();
    const start = this.skip(size);
    if (tag === LATIN1) return textOfBytes.latin1Slice.call(this.bytes, start, start + size);
    if (tag === UTF8) return textOfBytes.utf8Slice.call(this.bytes, start, start + size);
    if (size % 2 !== 0) throw new MalformedBytes('half a character');
    return textOfBytes.ucs2Slice.call(this.bytes, start, start + size);
  }
}
