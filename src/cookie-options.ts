/** The options of the cookie: every rule by which a browser would refuse it is checked before it is ever sent. Runs in the thread that starts a manager. */

import { createSecretKey, KeyObject } from 'node:crypto';
import { types } from 'node:util';
import * as v from 'valibot';
import { checkOptions, choiceOption, expectedUnseen, futureOption } from './checking.js';
import { defaults } from './defaults.js';
import { expected, SessionError } from './protocol/errors.js';

/** Plain data that can be cloned, keys included: a secret KeyObject travels between threads, and shows nothing of itself when it is printed. */
export interface ResolvedCookieOptions {
  readonly name: string;
  readonly format: 'opaque' | 'signed';
  /** The first signs, all verify. Empty for 'opaque'. */
  readonly keys: readonly KeyObject[];
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: string;
  readonly domain: string | undefined;
  readonly partitioned: boolean;
  readonly persistent: boolean;
}

/** Each key is tried on each cookie that is seen for the first time. */
const MOST_KEYS = 16;
const LEAST_KEY_BYTES = 32;

const boolean = v.boolean('true or false');

const nameForm = "a cookie name: 1 to 128 letters, digits or any of !#$%&'*+-.^_`|~";
const name = v.pipe(v.string(nameForm), v.regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/, nameForm));

// Browsers ignore attributes of more than 1024 bytes. Neither a space nor '<' is ever in the path of a URL that was parsed.
const pathForm = "a path: '/' and up to 1023 visible ASCII characters except ; and <";
const path = v.pipe(v.string(pathForm), v.regex(/^\/[!-:=-~]{0,1023}$/, pathForm));

const domainForm = 'a host name such as example.com, without a leading or trailing dot (if international, as xn--…)';
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const domain = v.pipe(
  v.string(domainForm),
  v.maxLength(253, domainForm),
  v.regex(new RegExp(`^${label}(?:\\.${label})*$`), domainForm),
);

const cookieSchemas = {
  name: v.optional(name),
  format: v.optional(v.unknown()),
  keys: v.optional(v.unknown()),
  algorithm: futureOption(),
  secure: v.optional(boolean, defaults.cookie.secure),
  sameSite: v.optional(choiceOption('lax', 'strict', 'none'), defaults.cookie.sameSite),
  path: v.optional(path, defaults.cookie.path),
  domain: v.optional(domain),
  partitioned: v.optional(boolean, defaults.cookie.partitioned),
  persistent: v.optional(boolean, defaults.cookie.persistent),
};

/** Checks and completes the `cookie` option; throws ERR_INVALID_OPTION that names the option and shows nothing of a key. */
export function resolveCookieOptions(options: unknown): ResolvedCookieOptions {
  const checked = checkOptions('cookie', options === undefined ? {} : options, cookieSchemas);
  const { secure, sameSite, path, domain, partitioned, persistent } = checked;
  const name = checked.name ?? (secure ? defaults.cookie.name : defaults.cookie.nameUnlessSecure);
  const format = resolveFormat(checked.format);
  checkPrefix(name, secure, path, domain);
  if (!secure && sameSite === 'none') throw expected('cookie.secure', "true for `sameSite: 'none'`", secure);
  if (!secure && partitioned) throw expected('cookie.secure', 'true for a partitioned cookie', secure);
  const keys = resolveKeys(checked.keys, format);
  return { name, format, keys, secure, sameSite, path, domain, partitioned, persistent };
}

function resolveFormat(format: unknown): 'opaque' | 'signed' {
  if (format === undefined) return defaults.cookie.format;
  if (format === 'opaque' || format === 'signed') return format;
  const jwt = format === 'jwt' ? " ('jwt' is not supported yet by this version)" : '';
  throw expected('cookie.format', `'opaque' or 'signed'${jwt}`, format);
}

/** What browsers demand of a name that begins so, in any letter case. HttpOnly, which the newer `__Http-` and `__Host-Http-` demand, is always set. */
function checkPrefix(name: string, secure: boolean, path: string, domain: string | undefined): void {
  const prefix = /^__(?:host|secure|http)-/i.exec(name)?.[0];
  if (prefix === undefined) return;
  if (!secure) throw expected('cookie.secure', `true for a name that begins with ${prefix}`, secure);
  if (prefix.toLowerCase() !== '__host-') return;
  const unless = `for a name that begins with ${prefix} (another name, such as '__Secure-id', lifts this)`;
  if (path !== '/') throw expected('cookie.path', `'/' ${unless}`, path);
  if (domain !== undefined) throw expected('cookie.domain', `left out ${unless}`, domain);
}

function resolveKeys(keys: unknown, format: 'opaque' | 'signed'): readonly KeyObject[] {
  const what = 'cookie.keys';
  if (format === 'opaque') {
    if (keys === undefined) return [];
    throw expectedUnseen(what, "left out with the format 'opaque' (keys are for 'signed')", describe(keys));
  }
  const form = `an array of 1 to ${MOST_KEYS} keys with the format 'signed'`;
  try {
    if (!Array.isArray(keys)) throw expectedUnseen(what, form, describe(keys));
    const count: number = keys.length;
    if (count < 1 || count > MOST_KEYS) throw expectedUnseen(what, form, `an array of ${count}`);
    return Array.from({ length: count }, (_, index) => importKey(`${what}[${index}]`, keys[index]));
  } catch (error) {
    // What a getter throws stays out of it: it may hold a key.
    throw error instanceof SessionError ? error : expectedUnseen(what, form, 'an array that cannot be read');
  }
}

/** A copy of the key, imported once. What lay in memory on the way is wiped. */
function importKey(what: string, key: unknown): KeyObject {
  const form = `a secret of at least ${LEAST_KEY_BYTES} bytes: text, a Uint8Array or a secret KeyObject`;
  const bytes = keyBytes(key);
  if (bytes === undefined) throw expectedUnseen(what, form, describe(key));
  try {
    if (bytes.length < LEAST_KEY_BYTES) throw expectedUnseen(what, form, `one of ${bytes.length} bytes`);
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** The key's bytes in memory of their own, fit to be wiped; undefined for what is no secret key. */
function keyBytes(key: unknown): Uint8Array | undefined {
  if (typeof key === 'string') return new TextEncoder().encode(key);
  if (types.isUint8Array(key)) return new Uint8Array(key);
  return key instanceof KeyObject && key.type === 'secret' ? key.export() : undefined;
}

/** What came in the place of a key, without a trace of its content. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (value instanceof KeyObject) return `a KeyObject of type ${value.type}`;
  return typeof value === 'object' ? (Array.isArray(value) ? 'an array' : 'an object') : `a ${typeof value}`;
}
