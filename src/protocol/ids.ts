/** A session's public id: 128 random bits as words, and as the text that applications see. Used in every thread. */

import { ID_WORDS } from './layout.js';

/** The text of an id: two signs no cookie begins with, then its bytes in hexadecimal. */
export const ID_FORM = /^s_[0-9a-f]{32}$/;

export function formatId(words: Int32Array): string {
  let text = 's_';
  for (let i = 0; i < ID_WORDS; i++) {
    text += ((words[i] as number) >>> 0).toString(16).padStart(8, '0');
  }
  return text;
}

/** The words of an id, or undefined if the text has not the form of one. */
export function parseId(text: string): Int32Array | undefined {
  if (!ID_FORM.test(text)) return undefined;
  const words = new Int32Array(ID_WORDS);
  for (let i = 0; i < ID_WORDS; i++) words[i] = Number.parseInt(text.slice(2 + i * 8, 10 + i * 8), 16);
  return words;
}
