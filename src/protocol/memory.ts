/**
 * Memory that is only used where it is touched. Used in every thread.
 *
 * A plain buffer lies on the C library's heap. glibc maps large chunks, and their untouched pages cost nothing; but each mapped chunk that is freed raises
 * the size from which it maps, up to 32 MiB. What is smaller then comes from its heap, where it is zeroed, and so touched, as a whole, and is not given back to the system. A growable
 * buffer lies in a mapping of its own, which V8 makes and removes: its pages cost nothing before they are touched, nor after the buffer was collected.
 *
 * Every typed array over such a buffer must be made with its length: one without follows the buffer's growth, and its reads and writes take several times as long.
 */

type Growable = new (length: number, options: { readonly maxByteLength: number }) => SharedArrayBuffer;

/** From so many bytes on a buffer is worth a mapping of its own: a process may have 65,530 of them. */
const LARGE = 65_536;

/** Zeroed memory. Throws a RangeError if the machine cannot reserve it. */
export function reserve(bytes: number): SharedArrayBuffer {
  if (bytes < LARGE) return new SharedArrayBuffer(bytes);
  return new (SharedArrayBuffer as Growable)(bytes, { maxByteLength: bytes });
}

/** So many zeros, in memory of their own. */
export function reserveInt32(count: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(reserve(count * 4), 0, count);
}

/** So many zeros, in memory of their own. */
export function reserveFloat64(count: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(reserve(count * 8), 0, count);
}

/** All of a buffer as words: an array with a length of its own. */
export function wordsOf(memory: SharedArrayBuffer): Int32Array<SharedArrayBuffer> {
  return new Int32Array(memory, 0, memory.byteLength >>> 2);
}

/** All of a buffer as numbers of eight bytes: an array with a length of its own. */
export function numbersOf(memory: SharedArrayBuffer): Float64Array<SharedArrayBuffer> {
  return new Float64Array(memory, 0, memory.byteLength >>> 3);
}
