/**
 * Notices: what the manager tells threads without being asked. They travel as plain messages beside Comlink's, `{
 * notices: ArrayBuffer }`, each a sequence of: u8 kind | u32 bytes | fields. Functions come in pairs, `write…` for the
 * manager and `read…` for the callers.
 */

import type { ByteReader, ByteWriter } from './bytes.js';
import { readText, type Target, writeTarget, writeWords } from './calls.js';
import { formatId } from './ids.js';
import { ID_WORDS, MAX_CLIENT_BYTES } from './layout.js';

/** The events that a thread can listen to, as bits. `restarted` and `gap` are sent to every thread. */
export const EVENT_BITS = { created: 1, changed: 2, ended: 4, 'token-rotated': 8, 'token-reused': 16 } as const;
export type SessionEventName = keyof typeof EVENT_BITS;
export const EVENT_NAMES = Object.keys(EVENT_BITS) as SessionEventName[];

export const NOTICE = { event: 1, over: 2, gap: 3 } as const;

export const REASONS = ['closed', 'idle', 'expired', 'evicted', 'over-limit', 'terminated', 'stopped'] as const;
export type Reason = (typeof REASONS)[number];

/** What listeners may learn of a session: everything but its token, its digest and its data. */
export interface Info {
  readonly id: string;
  readonly user: Uint8Array;
  readonly client: Uint8Array;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly endsAt: number;
  readonly authenticatedAt: number;
  readonly tokenIssuedAt: number;
  readonly version: number;
}

export function writeInfo(to: ByteWriter, id: Int32Array, info: Omit<Info, 'id'>): void {
  writeWords(to, id);
  to.u32(info.version);
  to.f64(info.createdAt);
  to.f64(info.lastSeenAt);
  to.f64(info.endsAt);
  to.f64(info.authenticatedAt);
  to.f64(info.tokenIssuedAt);
  to.u16(info.user.length);
  to.raw(info.user);
  to.u16(info.client.length);
  to.raw(info.client);
}

export function readInfo(from: ByteReader): Info {
  const id = new Int32Array(ID_WORDS);
  for (let i = 0; i < ID_WORDS; i++) id[i] = from.u32();
  return {
    id: formatId(id),
    version: from.u32(),
    createdAt: from.f64(),
    lastSeenAt: from.f64(),
    endsAt: from.f64(),
    authenticatedAt: from.f64(),
    tokenIssuedAt: from.f64(),
    user: readText(from).slice(),
    client: readText(from, MAX_CLIENT_BYTES).slice(),
  };
}

/** A session that this thread watches has ended. */
export function writeOver(to: ByteWriter, target: Target, reason: Reason): void {
  to.u8(NOTICE.over);
  to.u32(9);
  writeTarget(to, target);
  to.u8(REASONS.indexOf(reason));
}

/** This many events were dropped because this thread was too far behind. */
export function writeGap(to: ByteWriter, missed: number): void {
  to.u8(NOTICE.gap);
  to.u32(8);
  to.f64(missed);
}
