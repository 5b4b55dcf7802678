/** A session's public id: 128 random bits, as words and as the text that applications see. Used in every thread. */

import { textOfBytes } from './data/strings.js';
import { ID_WORDS } from './layout.js';

/** The text of an id: a prefix that no cookie begins with, then its bytes in hexadecimal. */
export const ID_FORM = /^s_[0-9a-f]{32}$/;

const DIGITS = new TextEncoder().encode('0123456789abcdef');
const letters = new TextEncoder().encode(`s_${'0'.repeat(8 * ID_WORDS)}`);

export function formatId(words: Int32Array): string {
  // Written byte by byte and decoded at once, because every new session needs an id: a string concatenated from parts
  // takes longer to build and more memory.
  for (let i = 0, at = 2; i < ID_WORDS; i++) {
    const word = words[i] as number;
    for (let shift = 28; shift >= 0; shift -= 4) letters[at++] = DIGITS[(word >>> shift) & 15] as number;
  }
  return textOfBytes.latin1Slice.call(letters, 0, letters.length);
}

/** The words of an id, or undefined if the text does not have the form of one. */
export function parseId(text: string): Int32Array | undefined {
  if (!ID_FORM.test(text)) return undefined;
  const words = new Int32Array(ID_WORDS);
  for (let i = 0; i < ID_WORDS; i++) words[i] = Number.parseInt(text.slice(2 + i * 8, 10 + i * 8), 16);
  return words;
}
