/**
 * Checks the arguments of calls before they are sent. Written by hand, without a schema library, as `newSession` is
 * called 100,000 times a second. Used in every thread of the host.
 */

import { types } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as v from 'valibot';
import { expected, SessionError } from '../protocol/errors.js';
import { ID_FORM } from '../protocol/ids.js';
import { MAX_TEXT_BYTES } from '../protocol/layout.js';
import type { SessionId } from '../types/types.js';
import { checkOptions, expectedUnseen, readOptions, schemaOption, unknownOption, unreadable } from './checking.js';
import { defaults } from './defaults.js';
import { checkDuration, graceLimits, type TimeoutLimits, timeoutLimits } from './durations.js';

/** The client of a session, as `client` of `newSession` gives it. */
export interface ClientTexts {
  readonly ip?: string;
  readonly userAgent?: string;
  readonly label?: string;
}

/** The complete argument of `newSession`. Durations are milliseconds, Infinity for never. */
export interface ResolvedNewSession {
  /** Not checked. Undefined if it was left out. */
  readonly data: unknown;
  readonly userId: string | undefined;
  readonly idleTimeout: number;
  readonly absoluteTimeout: number;
  readonly client: ClientTexts;
  readonly linked: boolean;
}

const newSessionNames = ['data', 'userId', 'idleTimeout', 'absoluteTimeout', 'client', 'linked'];
const clientNames = ['ip', 'userAgent', 'label'];
const noTexts: ClientTexts = Object.freeze({});
const anyTimeouts: TimeoutLimits = { idle: timeoutLimits, absolute: timeoutLimits };

/**
 * Checks and completes the argument of `newSession`. A key that is present but undefined counts as absent. Only own
 * keys count.
 */
export function resolveNewSession(
  init: unknown,
  times: { readonly idleTimeout: number; readonly absoluteTimeout: number },
  limits: TimeoutLimits = anyTimeouts,
): ResolvedNewSession {
  let { idleTimeout, absoluteTimeout } = times;
  let data: unknown;
  let userId: string | undefined;
  let client = noTexts;
  let linked = false;
  if (init !== undefined) {
    try {
      if (!isObject(init)) throw expected('init', 'an object', init);
      for (const key of Object.keys(init)) {
        const value = init[key];
        if (value === undefined && newSessionNames.includes(key)) continue;
        switch (key) {
          case 'data':
            data = value;
            break;
          case 'userId':
            userId = checkUserId(value);
            break;
          case 'idleTimeout':
            idleTimeout = checkDuration(key, value, limits.idle);
            break;
          case 'absoluteTimeout':
            absoluteTimeout = checkDuration(key, value, limits.absolute);
            break;
          case 'client':
            client = checkClient(value);
            break;
          case 'linked':
            if (typeof value !== 'boolean') throw expected(key, 'true or false', value);
            linked = value;
            break;
          default:
            throw unknownOption('', key, newSessionNames);
        }
      }
    } catch (error) {
      throw error instanceof SessionError ? error : unreadable('init');
    }
  }
  return { data, userId, idleTimeout, absoluteTimeout, client, linked };
}

/**
 * Returns a user id: not empty, at most 256 bytes of UTF-8. Lone surrogates are refused, as UTF-8 encodes all of them
 * alike, and two users would become one.
 */
export function checkUserId(value: unknown, what = 'userId'): string {
  if (typeof value !== 'string' || value === '') throw expected(what, 'a text that is not empty', value);
  if (value.length > MAX_TEXT_BYTES || (value.length * 3 > MAX_TEXT_BYTES && Buffer.byteLength(value) > MAX_TEXT_BYTES))
    throw expectedUnseen(what, `at most ${MAX_TEXT_BYTES} bytes of UTF-8`, `a string of ${value.length} characters`);
  if (/\p{Surrogate}/u.test(value)) throw expectedUnseen(what, 'well-formed text', 'a string with half a character');
  return value;
}

function checkClient(value: unknown): ClientTexts {
  if (!isObject(value)) throw expected('client', 'an object', value);
  const client: { ip?: string; userAgent?: string; label?: string } = {};
  for (const key of Object.keys(value)) {
    if (key !== 'ip' && key !== 'userAgent' && key !== 'label') throw unknownOption('client', key, clientNames);
    const text = value[key];
    if (text === undefined) continue;
    if (typeof text !== 'string') throw expected(`client.${key}`, 'a text', text);
    client[key] = cutText(text);
  }
  return client;
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(MAX_TEXT_BYTES);

/**
 * The beginning of a text, in whole characters, that takes at most 256 bytes of UTF-8. Lone surrogates become U+FFFD,
 * as they do in UTF-8.
 */
function cutText(text: string): string {
  const cut = text.length * 3 <= MAX_TEXT_BYTES ? text : text.slice(0, encoder.encodeInto(text, scratch).read);
  return /\p{Surrogate}/u.test(cut) ? cut.replace(/\p{Surrogate}/gu, '\ufffd') : cut;
}

/**
 * A checked filter: instants are numbers, and `except` is what `checkExcept` returned. An absent key restricts nothing.
 */
export interface ResolvedFilter<Id> {
  readonly userId?: string;
  readonly except?: Id;
  /** Session time, in milliseconds since 1970. */
  readonly createdBefore?: number;
  readonly limit?: number;
}

/**
 * Checks a filter. A key that is present but undefined is refused, as it must never select everybody. `checkExcept`
 * reads a session or an id, or throws. `toSessionTime` converts an instant of the caller to session time.
 */
export function checkFilter<Id>(
  filter: unknown,
  checkExcept: (value: unknown) => Id,
  toSessionTime = (instant: number): number => instant,
): ResolvedFilter<Id> {
  if (filter === undefined) return {};
  const read = readOptions('', filter, ['userId', 'except', 'createdBefore', 'limit'], 'filter');
  const { userId, except, createdBefore, limit } = read;
  return {
    ...('userId' in read ? { userId: checkUserId(userId) } : {}),
    ...('except' in read ? { except: checkPresent('except', except, checkExcept) } : {}),
    ...('createdBefore' in read ? { createdBefore: toSessionTime(checkInstant('createdBefore', createdBefore)) } : {}),
    ...('limit' in read ? { limit: checkCount('limit', limit) } : {}),
  };
}

function checkPresent<T>(what: string, value: unknown, check: (value: unknown) => T): T {
  if (value === undefined) throw expected(what, 'a session or its id', value);
  try {
    return check(value);
  } catch (error) {
    throw error instanceof SessionError ? error : unreadable(what);
  }
}

function checkInstant(what: string, value: unknown): number {
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : Number.NaN;
  if (Number.isNaN(time)) throw expected(what, 'a valid Date', value);
  return time;
}

function checkCount(what: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw expected(what, 'a non-negative integer', value);
  return value;
}

/** Whether a lookup counts as being seen: the option `touch`, true by default. */
export function checkTouch(options: unknown): boolean {
  if (options === undefined) return true;
  const { touch = true } = readOptions('', options, ['touch']);
  if (typeof touch !== 'boolean') throw expected('touch', 'true or false', touch);
  return touch;
}

/** The grace of `rotate`, in milliseconds. */
export function checkRotateOptions(options: unknown): number {
  return checkGrace(options === undefined ? undefined : readOptions('', options, ['grace']).grace);
}

/** A grace in milliseconds; the default for undefined. */
export function checkGrace(grace: unknown): number {
  return checkDuration('grace', grace === undefined ? defaults.grace : grace, graceLimits);
}

/** Returns a session id, checked by its form. */
export function checkSessionId(what: string, id: unknown): SessionId {
  if (typeof id === 'string' && ID_FORM.test(id)) return id as SessionId;
  throw notOwnSession(what, id);
}

/** The value is not shown: it may be a token that was passed by mistake. */
export function notOwnSession(what: string, value: unknown): SessionError {
  const text = `Expected \`${what}\` to be a session of this manager or its id, got another ${typeof value}`;
  return new SessionError('ERR_INVALID_OPTION', text);
}

const connectSchemas = { schema: v.optional(schemaOption()) };

/** The options of `connectSessionManager`. */
export function checkConnectOptions(options: unknown): { readonly schema: StandardSchemaV1 | undefined } {
  return { schema: checkOptions('', options === undefined ? {} : options, connectSchemas).schema };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
