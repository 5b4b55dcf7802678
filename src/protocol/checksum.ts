/** The checksums of records. Used in every thread. They detect torn copies, not forgery. */

/** Mixes `words[from..to)` into a sum that depends on each word's position. */
export function sumWords(words: Int32Array, from: number, to: number, seed: number): number {
  let sum = seed ^ 0x9e3779b9;
  for (let i = from; i < to; i++) {
    sum = Math.imul(sum ^ (words[i] as number), 0x85ebca6b);
    sum = (sum << 13) | (sum >>> 19);
  }
  sum ^= sum >>> 16;
  sum = Math.imul(sum, 0xc2b2ae35);
  return sum ^ (sum >>> 15);
}
