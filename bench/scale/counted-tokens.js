/** Tokens that are counted instead of drawn, so that two threads can tell a million of them without keeping one. */

import { drawId, drawToken, randomness } from '../../dist/src/session/tokens.js';

const NUMBER_BYTES = 16;
let counted = 0;

/** From now on this thread draws numbers in their order, from 0. */
export function countTokens() {
  randomness.fill = (block) => {
    block.fill(0);
    for (let at = 0; at < block.length; at += NUMBER_BYTES) block.writeUInt32LE(counted++, at);
  };
}

/** Draws what `newSession` draws, in the same order, and returns the token. */
export function nextToken() {
  const token = drawToken();
  drawId();
  return token;
}
