/** Checksums by which a copied record proves itself. Used in every thread; against torn copies, not against forgery. */

/** Mixes `words[from..to)` into a sum, each word's place included. */
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
