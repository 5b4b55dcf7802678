/**
 * Encodes and decodes strings, exactly, lone surrogates included. Each string has only one form. Used in every thread.
 */

import { Buffer } from 'node:buffer';
import { type ByteReader, type ByteWriter, MalformedBytes } from '../bytes.js';
import { LATIN1, MAX_SHORT, SHORT_STRING, UTF8, UTF16 } from './tags.js';

/**
 * The text methods of Buffer. They are called on plain Uint8Arrays, which Node allows, so that no Buffer has to be
 * created.
 */
interface TextOfBytes {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, at: number, size: number): number;
  utf8Write(this: Uint8Array, text: string, at: number, size: number): number;
  ucs2Write(this: Uint8Array, text: string, at: number, size: number): number;
}

export const textOfBytes = Buffer.prototype as unknown as TextOfBytes;

/**
 * Writes a string that takes at most `most` bytes beside its tag and size. Returns false, and writes nothing, if it
 * would take more.
 */
export function writeString(writer: ByteWriter, text: string, most: number): boolean {
  const length = text.length;
  if (length > most) return false;
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
  return writeLongString(writer, text, most);
}

const BEYOND_LATIN1 = /[\u0100-\uffff]/;

function writeLongString(writer: ByteWriter, text: string, most: number): boolean {
  const { length } = text;
  const utf8Size = Buffer.byteLength(text);
  const isLatin1 = utf8Size === length || !BEYOND_LATIN1.test(text);
  const form = isLatin1 ? LATIN1 : text.isWellFormed() ? UTF8 : UTF16;
  const size = form === LATIN1 ? length : form === UTF8 ? utf8Size : 2 * length;
  if (size > most) return false;
  writer.u8(form);
  writer.varint(size);
  const at = writer.reserve(size);
  if (form === LATIN1) textOfBytes.latin1Write.call(writer.bytes, text, at, size);
  else if (form === UTF8) textOfBytes.utf8Write.call(writer.bytes, text, at, size);
  else textOfBytes.ucs2Write.call(writer.bytes, text, at, size);
  return true;
}

/** Longer keys are not cached. */
export const LONGEST_KNOWN = 31;
const PLACES = 256;

/** A key and the key that came after it the last time, which is likely to do so again. */
interface KnownKey {
  readonly text: string;
  /** One for each character. */
  readonly bytes: Uint8Array;
  next: KnownKey | undefined;
}

/**
 * A cache of keys that were decoded before: the same few keys are then not decoded, nor internalized by V8, each time.
 * Bounded; contains names of properties and no values. Each thread has one.
 */
export class KnownKeys {
  readonly #places = new Array<KnownKey | undefined>(PLACES).fill(undefined);
  #last: KnownKey = { text: '', bytes: new Uint8Array(0), next: undefined };

  /** The key in these bytes, one byte for each character. */
  find(bytes: Uint8Array, start: number, length: number): string {
    const last = this.#last;
    let place = -1;
    for (let key = last.next; ; key = this.#places[place]) {
      if (key !== undefined && key.bytes.length === length) {
        let same = 0;
        while (same < length && key.bytes[same] === bytes[start + same]) same++;
        if (same === length) {
          if (place >= 0) last.next = key;
          this.#last = key;
          return key.text;
        }
      }
      if (place >= 0) break;
      let hash = length;
      for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x9e3779b1);
      place = hash >>> 24;
    }
    const text = textOfBytes.latin1Slice.call(bytes, start, start + length);
    const key = { text, bytes: Uint8Array.prototype.slice.call(bytes, start, start + length), next: undefined };
    this.#places[place] = key;
    last.next = key;
    this.#last = key;
    return text;
  }
}

/** What follows a `LATIN1`, `UTF8` or `UTF16` tag. */
export function readLongString(from: ByteReader, tag: number): string {
  if (tag !== LATIN1 && tag !== UTF8 && tag !== UTF16) throw new MalformedBytes('not a string');
  const size = from.varint();
  const start = from.skip(size);
  if (tag === LATIN1) return textOfBytes.latin1Slice.call(from.bytes, start, start + size);
  if (tag === UTF8) return textOfBytes.utf8Slice.call(from.bytes, start, start + size);
  if (size % 2 !== 0) throw new MalformedBytes('half a character');
  return textOfBytes.ucs2Slice.call(from.bytes, start, start + size);
}
