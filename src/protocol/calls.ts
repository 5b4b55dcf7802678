/**
 * The calls: what a thread may ask of the manager, and how requests and replies are packed. Names stand in pairs,
 * `write…` for one side and `read…` for the other, in the order of the manager's rules.
 *
 *   batch  f64 number of the first call | u32 count | for each call: u8 which | u32 bytes | its fields
 *   reply  u32 count | for each call: u8 answer | u32 bytes | its fields
 *
 * A field of unknown length has its length before it, except the last of a call, which goes to its end.
 */

import { type ByteReader, type ByteWriter, MalformedBytes } from './bytes.js';
import type { SessionErrorCode } from './errors.js';
import type { Hello, Welcome } from './greeting.js';
import { DIGEST_WORDS, MAX_CLIENT_BYTES, MAX_TEXT_BYTES, SEALED_BYTES } from './layout.js';

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

/** How a call is answered: done, or the place of its refusal in this list. */
export const ANSWERS = [
  'done',
  /** The digest or the id belongs to a live session: draw again. */
  'used',
  /** `rotate`: another thread was first; its new token lies sealed in the record. */
  'moved',
  /** The caller had given the call up before it was begun: nothing was done. */
  'given-up',
  /** The fields make no call of this build. */
  'malformed',
  'ERR_SESSION_ENDED',
  'ERR_SESSION_CONFLICT',
  'ERR_SESSION_TOO_LARGE',
  'ERR_SESSION_LIMIT',
  'ERR_TABLE_FULL',
  'ERR_TOKEN_UNKNOWN',
  'ERR_MANAGER_STOPPED',
  'ERR_STORE',
  /** `sweep`, begun by a manager that died: nobody knows how many it ended. */
  'ERR_MANAGER_RESTARTED',
] as const satisfies readonly (SessionErrorCode | 'done' | 'used' | 'moved' | 'given-up' | 'malformed')[];
export type Answer = (typeof ANSWERS)[number];
export type Refusal = Exclude<Answer, 'done'>;

/** The methods that Comlink carries, and all that the gate lets through. */
export interface ManagerApi {
  /** The first call on a port: agrees on the build and hands over the words of this connection. */
  greet(hello: Hello): Welcome | Promise<Welcome>;
  /** Does a batch of calls, in order, and answers it. */
  execute(batch: ArrayBuffer): ArrayBuffer | Promise<ArrayBuffer>;
}
/** Calls that may wait in one thread. */
export const MOST_CALLS = 65_536;

/** Calls of one thread that may be under way: sent, and not answered. A power of two. */
export const MOST_IN_FLIGHT = 2048;

export const METHODS: readonly (keyof ManagerApi)[] = ['greet', 'execute'];

/** Batches and replies of more bytes are transferred; up to this size a copy takes less time than a transfer. */
export const MOST_COPIED = 4096;

/** Words shared by one connection's two ends; call numbers modulo 2^32. */
export const CONNECTION = {
  /**
   * Calls up to this number are settled: their answers have arrived, or they were given up. What was kept to answer
   * them once more is kept no longer, and one that was not begun yet is never done.
   */
  settled: 0,
  /** The call that the manager began last. */
  begun: 1,
  /** Events that this thread has read, so that the manager knows how far it is behind. */
  eventsRead: 2,
  /**
   * Events that managers have sent it, those that were dropped for it and of which it has not been told, and what it
   * listens to, as bits: written by them, for their successors.
   */
  eventsSent: 3,
  eventsMissed: 4,
  listensTo: 5,
  words: 6,
} as const;

/** A session as a call names it: one letting of one slot. */
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

export function readTimeout(from: ByteReader): number {
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
  /** The digest is that of a caller's own key. Never written: `putSession` means it. */
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

/** `into`: the words of a digest and of an id, which the call that is returned keeps. */
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
 * `sweep`, of which a call does no more than a part: how many sessions it ended, and whether nothing is left to do. One
 * number, as the journal keeps of a call.
 */
export interface Swept {
  readonly ended: number;
  readonly isOver: boolean;
}

export const packSwept = ({ ended, isOver }: Swept): number => 2 * ended + (isOver ? 1 : 0);
export const unpackSwept = (packed: number): Swept => ({ ended: packed >>> 1, isOver: (packed & 1) === 1 });

/** `rotate`: from one digest to another; `sealed` is the new token, readable by whoever holds the old one. */
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

/** `close`: a note, as UTF-8, follows what is written here. `terminated`: its owner died. */
export function writeClose(to: ByteWriter, target: Target, terminated: boolean): void {
  writeTarget(to, target);
  to.u8(terminated ? 1 : 0);
}

export function readClose(from: ByteReader): { target: Target; terminated: boolean; note: Uint8Array } {
  return { target: readTarget(from), terminated: from.u8() === 1, note: readRest(from) };
}
