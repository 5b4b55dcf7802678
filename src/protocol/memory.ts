/**
 * Memory that takes up no more of the machine than what was written to. Used in every thread.
 *
 * A plain SharedArrayBuffer is allocated by `calloc`. glibc maps large allocations, so that their untouched pages
 * cost nothing. But each mapped allocation that is freed raises the size from which it maps, up to 32 MiB. Whatever
 * is smaller then comes from a heap, where `calloc` zeroes it, which touches every page, and where freed memory
 * often stays. V8 does not count shared buffers as garbage either, so many of them wait for a collection at a time.
 *
 * V8 allocates a growable buffer by mapping pages itself, and unmaps them when the buffer is collected. So a large
 * buffer is made growable, although it never grows.
 *
 * A typed array over a growable buffer must be made with an explicit length. Without one it follows the growth of
 * the buffer, and each access takes several times as long.
 */

type Growable = new (length: number, options: { readonly maxByteLength: number }) => SharedArrayBuffer;

/** Bytes from which a buffer gets a mapping of its own. A Linux process may have 65,530 mappings by default. */
const LARGE = 16_384;

/** Reserves zeroed memory. Throws a RangeError if the machine cannot reserve it. */
export function reserve(bytes: number): SharedArrayBuffer {
  if (bytes < LARGE) return new SharedArrayBuffer(bytes);
  return new (SharedArrayBuffer as Growable)(bytes, { maxByteLength: bytes });
}

/** An array of `count` zeros in memory that `reserve` makes. */
export function reserveInt32(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(reserve(count * 4), 0, count);
}

/** An array of `count` zeros in memory that `reserve` makes. */
export function reserveFloat64(count: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(reserve(count * 8), 0, count);
}

/** The whole buffer as words, with an explicit length. */
export function wordsOf(memory: SharedArrayBuffer): Int32Array<SharedArrayBuffer> {
  return new Int32Array(memory, 0, memory.byteLength >>> 2);
}

/** The whole buffer as numbers of eight bytes, with an explicit length. */
export function numbersOf(memory: SharedArrayBuffer): Float64Array<SharedArrayBuffer> {
  return new Float64Array(memory, 0, memory.byteLength >>> 3);
}
