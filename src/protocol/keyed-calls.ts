/**
 * The calls that concern sessions under a caller's own key, as src/protocol/calls.ts has the others. `putSession`
 * travels as `newSession` does, the key's digest in the token's place.
 */

import type { ByteReader, ByteWriter } from './bytes.js';
import { readRest, readTimeout, readWords, writeWords } from './calls.js';
import { DIGEST_WORDS } from './layout.js';

/** `absolute`: how long a key without a session stays buried, if that is not too long. */
export interface CloseByKeyCall {
  readonly digest: Int32Array;
  readonly absolute: number;
  readonly note: Uint8Array;
}

/** `closeSessionByKey`: a note, as UTF-8, follows what is written here. */
export function writeCloseByKey(to: ByteWriter, digest: Int32Array, absolute: number): void {
  writeWords(to, digest);
  to.f64(absolute);
}

export function readCloseByKey(from: ByteReader): CloseByKeyCall {
  return { digest: readWords(from, DIGEST_WORDS), absolute: readTimeout(from), note: readRest(from) };
}
