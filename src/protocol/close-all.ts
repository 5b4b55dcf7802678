/** The call `closeAllSessions`, as src/protocol/calls.ts has the others. */

import { type ByteReader, type ByteWriter, MalformedBytes } from './bytes.js';
import { readRest, readWords, writeWords } from './calls.js';
import { ID_WORDS } from './layout.js';

/** Which sessions `closeAllSessions` ends: all that fit everything that is given. */
export interface CloseAllCall {
  readonly user: Uint8Array | undefined;
  readonly except: Int32Array | undefined;
  readonly createdBefore: number;
  readonly limit: number;
}

export function writeCloseAll(to: ByteWriter, call: CloseAllCall): void {
  to.f64(call.createdBefore);
  to.f64(call.limit);
  to.u8((call.user ? 1 : 0) | (call.except ? 2 : 0));
  if (call.except) writeWords(to, call.except);
  if (call.user) to.raw(call.user);
}

export function readCloseAll(from: ByteReader): CloseAllCall {
  const createdBefore = from.f64();
  const limit = from.f64();
  const given = from.u8();
  if (Number.isNaN(createdBefore) || !(limit >= 0)) throw new MalformedBytes('not a filter');
  const except = given & 2 ? readWords(from, ID_WORDS) : undefined;
  return { user: given & 1 ? readRest(from) : undefined, except, createdBefore, limit };
}
