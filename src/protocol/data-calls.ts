/** The calls that write a session's data. Each may depend on the data's version. See calls.ts. */

import { type ByteReader, type ByteWriter, MalformedBytes } from './bytes.js';
import { readRest, readTarget, readText, readWords, type Target, writeTarget, writeWords } from './calls.js';
import { encodeKey } from './data/entries.js';
import { DIGEST_WORDS } from './layout.js';

/** The call is refused with ERR_SESSION_CONFLICT unless the data has this version. */
export type IfVersion = number | undefined;

/** u8 0, or u8 1 | u32 version. */
function writeIfVersion(to: ByteWriter, ifVersion: IfVersion): void {
  to.u8(ifVersion === undefined ? 0 : 1);
  if (ifVersion !== undefined) to.u32(ifVersion);
}

function readIfVersion(from: ByteReader): IfVersion {
  return from.u8() === 1 ? from.u32() : undefined;
}

/** `set`: a patch follows what is written here. */
export function writeSet(to: ByteWriter, target: Target, ifVersion?: IfVersion): void {
  writeTarget(to, target);
  writeIfVersion(to, ifVersion);
}

export function readSet(from: ByteReader): { target: Target; ifVersion: IfVersion; patch: Uint8Array } {
  return { target: readTarget(from), ifVersion: readIfVersion(from), patch: readRest(from) };
}

/** `replace`: data follows what is written here. */
export function writeReplace(to: ByteWriter, target: Target, ifVersion: IfVersion): void {
  writeTarget(to, target);
  writeIfVersion(to, ifVersion);
}

export function readReplace(from: ByteReader): { target: Target; ifVersion: IfVersion; data: Uint8Array } {
  return { target: readTarget(from), ifVersion: readIfVersion(from), data: readRest(from) };
}

/**
 * `take`: a patch may follow what is written here; it is applied to the data without the key. The reply contains the
 * value's bytes, or none if the key does not exist.
 */
export function writeTake(to: ByteWriter, target: Target, key: string, ifVersion?: IfVersion): void {
  writeTarget(to, target);
  writeIfVersion(to, ifVersion);
  const at = to.reserve(4);
  encodeKey(to, key);
  to.view.setUint32(at, to.length - at - 4, true);
}

export interface TakeCall {
  readonly target: Target;
  readonly ifVersion?: IfVersion;
  readonly key: Uint8Array;
  readonly patch?: Uint8Array;
}

export function readTake(from: ByteReader): TakeCall {
  return {
    target: readTarget(from),
    ifVersion: readIfVersion(from),
    key: from.raw(from.u32()),
    patch: readRest(from),
  };
}

/** `login`: a patch follows what is written here. */
export function writeLogin(
  to: ByteWriter,
  target: Target,
  digest: Int32Array,
  user: Uint8Array,
  ifVersion?: IfVersion,
): void {
  writeTarget(to, target);
  writeIfVersion(to, ifVersion);
  writeWords(to, digest);
  to.u16(user.length);
  to.raw(user);
}

export interface LoginCall {
  readonly target: Target;
  readonly ifVersion?: IfVersion;
  readonly digest: Int32Array;
  readonly user: Uint8Array;
  readonly patch: Uint8Array;
}

export function readLogin(from: ByteReader): LoginCall {
  const target = readTarget(from);
  const ifVersion = readIfVersion(from);
  const digest = readWords(from, DIGEST_WORDS);
  const user = readText(from);
  if (user.length === 0) throw new MalformedBytes('nobody logs in');
  return { target, ifVersion, digest, user, patch: readRest(from) };
}
