/** Converts the sessions that a store is given into session data, and back. Runs in every thread of the host. */

import type { Session } from '../../index.js';

/**
 * The cookie of a session that `get` returns: a plain object, from which express-session and @fastify/session make a
 * cookie of their own.
 */
export interface StoredCookie {
  /** The idle timeout in milliseconds; null if the cookie ends with the browser. */
  originalMaxAge: number | null;
  /** When the session ends if it is not touched; null if the cookie ends with the browser. */
  expires?: Date | null | undefined;
  httpOnly?: boolean | undefined;
  path?: string | undefined;
  domain?: string | undefined;
  secure?: boolean | 'auto' | undefined;
  sameSite?: boolean | 'lax' | 'strict' | 'none' | undefined;
}

/**
 * A session that `get` returns: the cookie and the application's data. It belongs to the caller: nothing is shared or
 * frozen.
 */
export interface StoredSession {
  cookie: StoredCookie;
}

/** The cookie as it is stored. */
interface RecordCookie extends Record<string, unknown> {
  originalMaxAge?: unknown;
  expires?: unknown;
}

/** The data of a session that a store has made. All of it has been through JSON. */
export interface StoredRecord extends Record<string, unknown> {
  readonly id: string;
  readonly cookie: Readonly<RecordCookie>;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The data to store for a session. Converted by JSON, as in other stores: `toJSON` is called, without which a cookie
 * has no `expires`; what JSON leaves out is left out, and so are keys `__proto__`. Throws what JSON throws for circular
 * data and bigints, and a TypeError for what is no session.
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

/** The session that a store has stored; undefined if no store has made it. */
export function toStored(found: Session): StoredSession | undefined {
  const record = readRecord(found);
  if (record === undefined) return undefined;
  const cookie: RecordCookie = mutableCopy(record.cookie);
  const { expires, originalMaxAge } = cookie;
  // A rolling cookie ends with its session, which may have been touched since the cookie was stored.
  if (typeof expires === 'string') {
    cookie.expires = typeof originalMaxAge === 'number' ? (found.expiresAt ?? null) : new Date(expires);
  }
  return Object.assign(mutableCopy(record.data), { cookie: cookie as unknown as StoredCookie });
}

/** The data that a store has stored. Undefined if no store has made the session, or it has ended. */
export function readRecord(found: Session): StoredRecord | undefined {
  try {
    const { id, cookie, data } = found.data;
    return typeof id === 'string' && isObject(cookie) && isObject(data) ? { id, cookie, data } : undefined;
  } catch {
    return undefined;
  }
}

/** A mutable copy of data that has been through JSON, no deeper than session data may be. */
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
