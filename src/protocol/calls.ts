/**
 * The calls: what a thread may ask of the manager, and how requests and replies are encoded. Functions come in pairs,
 * `write…` for one side and `read…` for the other, in the order of the manager's rules.
 *
 *   batch  f64 number of the first call | u32 count | for each call: u8 which | u32 bytes | its fields
 *   reply  u32 count | for each call: u8 answer | u32 bytes | its fields
 *
 * A field of variable length comes behind its length, except the last field of a call, which extends to the call's end.
 */

import { type ByteReader, type ByteWriter, MalformedBytes } from './bytes.js';
import type { SessionErrorCode } from './errors.js';
import type { Hello, Welcome } from './greeting.js';
import { DIGEST_WORDS, ID_WORDS, MAX_CLIENT_BYTES, MAX_TEXT_BYTES, SEALED_BYTES } from './layout.js';

export const CALL = {
  newSession: 1,
  set: 2,
  replace: 3,
  take: 4,
  login: 5,
  rotate: 6,
  setIdleTimeout: 7,
  close: 8,
  closeAllSessions: 9,
  sweep: 10,
  stats: 11,
  sessionsOfUser: 12,
  watch: 13,
  subscribe: 14,
  leave: 15,
  stop: 16,
  putSession: 17,
  closeSessionByKey: 18,
} as const;

/** How a call is answered: 'done', or why it was refused. An answer travels as its place in this list. */
export const ANSWERS = [
  'done',
  /** The digest or the id belongs to a live session: the caller draws another. */
  'used',
  /** `rotate`: another thread was first; its new token lies sealed in the record. */
  'moved',
  /** The caller had given up the call before it was begun: nothing was done. */
  'given-up',
  /** The fields are not those of any call of this build. */
  'malformed',
  'ERR_SESSION_ENDED',
  'ERR_SESSION_CONFLICT',
  'ERR_SESSION_TOO_LARGE',
  'ERR_SESSION_LIMIT',
  'ERR_TABLE_FULL',
  'ERR_TOKEN_UNKNOWN',
  'ERR_MANAGER_STOPPED',
  'ERR_STORE',
  /** `sweep`, begun by a manager that died: how many sessions it ended is not known. */
  'ERR_MANAGER_RESTARTED',
] as const satisfies readonly (SessionErrorCode | 'done' | 'used' | 'moved' | 'given-up' | 'malformed')[];
export type Answer = (typeof ANSWERS)[number];
export type Refusal = Exclude<Answer, 'done'>;

/** The methods that Comlink carries, and the only ones that the gate lets pass. */
export interface ManagerApi {
  /** The first call on a port: checks that both builds agree, and hands over this connection's shared words. */
  greet(hello: Hello): Welcome | Promise<Welcome>;
  /** Does a batch of calls, in order, and answers it. */
  execute(batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer>;
}
/** The most calls that may wait in one thread. */
export const MOST_CALLS = 65_536;

/** The most calls of one thread that may be in flight: sent, and not answered. A power of two. */
export const MOST_IN_FLIGHT = 2048;

export const METHODS: readonly (keyof ManagerApi)[] = ['greet', 'execute'];

/** Batches and replies of more bytes are transferred; up to this size a copy takes less time than a transfer. */
export const MOST_COPIED = 4096;

/** Words shared by the two ends of one connection; call numbers modulo 2^32. */
export const CONNECTION = {
  /**
   * Calls up to this number are settled: their answers have arrived, or the caller gave them up. The manager drops what
   * it kept to answer them again, and does not begin those that are not begun yet.
   */
  settled: 0,
  /** The call that the manager began last. */
  begun: 1,
  /** Events that this thread has read: shows the manager how far it is behind. */
  eventsRead: 2,
  /**
   * Written by the manager, for its successor: the events that it has sent to this thread, the events that it dropped
   * and has not reported as a gap yet, and the events that the thread listens to, as bits.
   */
  eventsSent: 3,
  eventsMissed: 4,
  listensTo: 5,
  words: 6,
} as const;

/** A session as a call names it: a slot, and the generation that tells its sessions apart. */
export interface Target {
  readonly slot: number;
  readonly generation: number;
}

export function writeTarget(to: ByteWriter, target: Target): void {
  to.u32(target.slot);
  to.u32(target.generation);
}

export function readTarget(from: ByteReader): Target {
  return { slot: from.u32(), generation: from.u32() | 0 };
}

// ---------------------------------------------------------------- fields

export function writeWords(to: ByteWriter, words: Int32Array): void {
  const at = to.reserve(words.length * 4);
  for (let i = 0; i < words.length; i++) to.view.setInt32(at + i * 4, words[i] as number, true);
}

export function readWords(from: ByteReader, count: number): Int32Array {
  return readWordsInto(from, new Int32Array(count));
}

function readWordsInto(from: ByteReader, words: Int32Array): Int32Array {
  const at = from.skip(words.length * 4);
  for (let i = 0; i < words.length; i++) words[i] = from.view.getInt32(at + i * 4, true);
  return words;
}

function readTimeout(from: ByteReader): number {
  const timeout = from.f64();
  if (!(timeout >= 1)) throw new MalformedBytes('not a timeout');
  return timeout;
}

export function readText(from: ByteReader, most: number = MAX_TEXT_BYTES): Uint8Array {
  const bytes = from.u16();
  if (bytes > most) throw new MalformedBytes('text too long');
  return from.raw(bytes);
}

export function readRest(from: ByteReader): Uint8Array {
  return from.raw(from.left);
}

// ---------------------------------------------------------------- the calls

/**
 * `data` follows what is written here, to the end of the call. `idle` and `absolute`: milliseconds, Infinity for never.
 */
export interface NewSessionCall {
  readonly digest: Int32Array;
  readonly id: Int32Array;
  readonly idle: number;
  readonly absolute: number;
  readonly linked: boolean;
  /** The digest is that of a caller's own key. Not encoded: `putSession` implies it. */
  readonly keyed?: boolean;
  readonly user: Uint8Array;
  readonly client: Uint8Array;
  readonly data: Uint8Array;
}

export function writeNewSession(to: ByteWriter, call: Omit<NewSessionCall, 'data'>): void {
  writeWords(to, call.digest);
  writeWords(to, call.id);
  to.f64(call.idle);
  to.f64(call.absolute);
  to.u8(call.linked ? 1 : 0);
  to.u16(call.user.length);
  to.raw(call.user);
  to.u16(call.client.length);
  to.raw(call.client);
}

/** `into`: words for the digest and the id; the returned call refers to them. */
export function readNewSession(
  from: ByteReader,
  into: { readonly digest: Int32Array; readonly id: Int32Array },
): NewSessionCall {
  return {
    digest: readWordsInto(from, into.digest),
    id: readWordsInto(from, into.id),
    idle: readTimeout(from),
    absolute: readTimeout(from),
    linked: from.u8() === 1,
    user: readText(from),
    client: readText(from, MAX_CLIENT_BYTES),
    data: readRest(from),
  };
}

/**
 * The result of one part of a sweep: how many sessions it ended, and whether the sweep is complete. It travels as one
 * number, because the journal stores one number per call.
 */
export interface Swept {
  readonly ended: number;
  readonly isOver: boolean;
}

export const packSwept = ({ ended, isOver }: Swept): number => 2 * ended + (isOver ? 1 : 0);
export const unpackSwept = (packed: number): Swept => ({ ended: packed >>> 1, isOver: (packed & 1) === 1 });

/** `rotate`: from one digest to another; `sealed` is the new token, readable by anyone who has the old one. */
export interface RotateCall {
  readonly target: Target;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly grace: number;
  readonly sealed: Int32Array;
}

export function writeRotate(to: ByteWriter, call: RotateCall): void {
  writeTarget(to, call.target);
  writeWords(to, call.from);
  writeWords(to, call.to);
  to.f64(call.grace);
  writeWords(to, call.sealed);
}

export function readRotate(from: ByteReader): RotateCall {
  const call = {
    target: readTarget(from),
    from: readWords(from, DIGEST_WORDS),
    to: readWords(from, DIGEST_WORDS),
    grace: from.f64(),
    sealed: readWords(from, SEALED_BYTES / 4),
  };
  if (!(call.grace >= 0 && call.grace < Number.MAX_SAFE_INTEGER)) throw new MalformedBytes('not a grace');
  return call;
}

export function writeSetIdleTimeout(to: ByteWriter, target: Target, idle: number): void {
  writeTarget(to, target);
  to.f64(idle);
}

export function readSetIdleTimeout(from: ByteReader): { target: Target; idle: number } {
  return { target: readTarget(from), idle: readTimeout(from) };
}

/**
 * `close`: a note, as UTF-8, follows what is written here. `terminated`: the thread that the session depended on died.
 */
export function writeClose(to: ByteWriter, target: Target, terminated: boolean): void {
  writeTarget(to, target);
  to.u8(terminated ? 1 : 0);
}

export function readClose(from: ByteReader): { target: Target; terminated: boolean; note: Uint8Array } {
  return { target: readTarget(from), terminated: from.u8() === 1, note: readRest(from) };
}

/** Which sessions `closeAllSessions` ends: those that match every criterion given. */
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

/**
 * `putSession` travels as `newSession` does, with the key's digest in place of the token's. `absolute`: how long the
 * tombstone of a key without a session lasts, up to TOMBSTONE_LIFETIME.
 */
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
