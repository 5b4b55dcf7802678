/**
 * What a store is handed as a session, taken apart for keeping, and put together again for each who asks. Runs in every
 * thread of the host.
 */

import type { Session } from '../../index.js';

/**
 * What a session's cookie is like when it is got: a plain object, as express-session and @fastify/session make a cookie
 * of their own from it.
 */
export interface StoredCookie {
  /** How long the session may stay idle, in milliseconds; null where the cookie ends with the browser. */
  originalMaxAge: number | null;
  /** When the session ends if nobody touches it; null where the cookie ends with the browser. */
  expires?: Date | null | undefined;
  httpOnly?: boolean | undefined;
  path?: string | undefined;
  domain?: string | undefined;
  secure?: boolean | 'auto' | undefined;
  sameSite?: boolean | 'lax' | 'strict' | 'none' | undefined;
}

/**
 * A session as it is got: the cookie, and the application's data beside it. The caller's own: nothing of it is shared
 * or frozen.
 */
export interface StoredSession {
  cookie: StoredCookie;
}

/** A cookie as it is record. */
interface RecordCookie extends Record<string, unknown> {
  originalMaxAge?: unknown;
  expires?: unknown;
}

/** The record of a session that a store keeps. All of it has been through JSON. */
export interface StoredRecord extends Record<string, unknown> {
  readonly id: string;
  readonly cookie: Readonly<RecordCookie>;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * What is kept of a session. By JSON, as the other stores of express-session do it: so `toJSON` is asked (a cookie has
 * no `expires` of its own without it), and what JSON leaves out is left out; and so is any key `__proto__`. Throws what
 * JSON throws at circular data and bigints, and a TypeError for what is no session.
 */
export function toRecord(id: string, session: object): StoredRecord {
  const text = JSON.stringify(session) ?? 'null';
  const plain: unknown = JSON.parse(text, text.includes('"__proto__"') ? withoutProto : undefined);
  if (!isObject(plain)) throw new TypeError('Expected `session` to be an object');
  const { cookie, ...data } = plain;
  return { id, cookie: isObject(cookie) ? cookie : {}, data };
}

function withoutProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value;
}

/** The session that a store has record as the data of `held`; undefined where that is another's. */
export function toStored(found: Session): StoredSession | undefined {
  const record = readRecord(found);
  if (record === undefined) return undefined;
  const cookie: RecordCookie = mutableCopy(record.cookie);
  const { expires, originalMaxAge } = cookie;
  // A cookie that rolls ends when its session does: it was written when the data were, and the session has been touched
  // since.
  if (typeof expires === 'string') {
    cookie.expires = typeof originalMaxAge === 'number' ? (found.expiresAt ?? null) : new Date(expires);
  }
  return Object.assign(mutableCopy(record.data), { cookie: cookie as unknown as StoredCookie });
}

/**
 * The data of a session, where it is what a store has record. Undefined where it is not, and once the session has ended.
 */
export function readRecord(found: Session): StoredRecord | undefined {
  try {
    const { id, cookie, data } = found.data;
    return typeof id === 'string' && isObject(cookie) && isObject(data) ? { id, cookie, data } : undefined;
  } catch {
    return undefined;
  }
}

/** A copy that is the caller's own, of what has been through JSON. No deeper than data may be. */
function mutableCopy(frozen: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(frozen).map(([key, value]) => [key, mutableValue(value)]));
}

function mutableValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mutableValue);
  return isObject(value) ? mutableCopy(value) : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
