/**
 * The options of the cookie: whatever a browser would refuse is refused before a cookie is sent. Runs in the thread
 * that starts a manager.
 */

import type { KeyObject } from 'node:crypto';
import * as v from 'valibot';
import { expected } from '../protocol/errors.js';
import { checkOptions, choiceOption, expectedUnseen } from '../validation/checking.js';
import { defaults } from '../validation/defaults.js';
import { ALGORITHMS, type Algorithm } from './jwt.js';
import { describeKey, importKeys } from './keys.js';

type Format = 'opaque' | 'signed' | 'jwt';

/** Can be cloned, including the keys: a KeyObject can be sent to other threads, and reveals nothing when printed. */
export interface ResolvedCookieOptions {
  readonly name: string;
  readonly format: Format;
  /** The first one signs, all verify. Empty for 'opaque'. */
  readonly keys: readonly KeyObject[];
  /** Undefined unless the format is 'jwt'. */
  readonly algorithm: Algorithm | undefined;
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: string;
  readonly domain: string | undefined;
  readonly partitioned: boolean;
  readonly persistent: boolean;
}

const boolean = v.boolean('true or false');

const nameForm = "a cookie name: 1 to 128 letters, digits or any of !#$%&'*+-.^_`|~";
const name = v.pipe(v.string(nameForm), v.regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/, nameForm));

// Browsers ignore attributes of more than 1024 bytes. Parsed URLs have no spaces and no '<' in their paths.
const pathForm = "a path: '/' and up to 1023 visible ASCII characters except ; and <";
const path = v.pipe(v.string(pathForm), v.regex(/^\/[!-:=-~]{0,1023}$/, pathForm));

// Browsers refuse cookies for a top-level domain; 'localhost' counts as none.
const domainForm =
  'a host name such as example.com, of two labels at least, without a leading or trailing dot (if international, as xn--…)';
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const domain = v.pipe(
  v.string(domainForm),
  v.maxLength(253, domainForm),
  v.regex(new RegExp(`^(?:localhost|${label}(?:\\.${label})+)$`), domainForm),
);

const cookieSchemas = {
  name: v.optional(name),
  format: v.optional(choiceOption('opaque', 'signed', 'jwt'), defaults.cookie.format),
  keys: v.optional(v.unknown()),
  algorithm: v.optional(choiceOption(...ALGORITHMS)),
  secure: v.optional(boolean, defaults.cookie.secure),
  sameSite: v.optional(choiceOption('lax', 'strict', 'none'), defaults.cookie.sameSite),
  path: v.optional(path, defaults.cookie.path),
  domain: v.optional(domain),
  partitioned: v.optional(boolean, defaults.cookie.partitioned),
  persistent: v.optional(boolean),
};

/**
 * Checks and completes the option `cookie`. Throws ERR_INVALID_OPTION, which names the option and reveals nothing of a
 * key. `isPersistent` is the default of `persistent`.
 */
export function resolveCookieOptions(
  options: unknown,
  isPersistent: boolean = defaults.cookie.persistent,
): ResolvedCookieOptions {
  const checked = checkOptions('cookie', options === undefined ? {} : options, cookieSchemas);
  const { format, secure, sameSite, path, domain, partitioned, persistent = isPersistent } = checked;
  const name = checked.name ?? (secure ? defaults.cookie.name : defaults.cookie.nameUnlessSecure);
  checkPrefix(name, secure, path, domain);
  if (!secure && sameSite === 'none') throw expected('cookie.secure', "true for `sameSite: 'none'`", secure);
  if (!secure && partitioned) throw expected('cookie.secure', 'true for a partitioned cookie', secure);
  const algorithm = resolveAlgorithm(checked.algorithm, format);
  const keys = resolveKeys(checked.keys, format, algorithm);
  return { name, format, keys, algorithm, secure, sameSite, path, domain, partitioned, persistent };
}

/**
 * The rules of browsers for names with these prefixes, in any letter case. The newer `__Http-` and `__Host-Http-` also
 * demand HttpOnly, which is always set.
 */
function checkPrefix(name: string, secure: boolean, path: string, domain: string | undefined): void {
  const prefix = /^__(?:host|secure|http)-/i.exec(name)?.[0];
  if (prefix === undefined) return;
  if (!secure) throw expected('cookie.secure', `true for a name that begins with ${prefix}`, secure);
  if (prefix.toLowerCase() !== '__host-') return;
  const unless = `for a name that begins with ${prefix} (another name, such as '__Secure-id', lifts this)`;
  if (path !== '/') throw expected('cookie.path', `'/' ${unless}`, path);
  if (domain !== undefined) throw expected('cookie.domain', `left out ${unless}`, domain);
}

function resolveAlgorithm(algorithm: Algorithm | undefined, format: Format): Algorithm | undefined {
  if (format === 'jwt') return algorithm ?? defaults.cookie.algorithm;
  if (algorithm === undefined) return undefined;
  throw expected('cookie.algorithm', `left out with the format '${format}' (it is for 'jwt')`, algorithm);
}

function resolveKeys(keys: unknown, format: Format, algorithm: Algorithm | undefined): readonly KeyObject[] {
  const what = 'cookie.keys';
  if (format !== 'opaque') return importKeys(what, keys, algorithm);
  if (keys === undefined) return [];
  const form = "left out with the format 'opaque' (keys are for 'signed' and 'jwt')";
  throw expectedUnseen(what, form, describeKey(keys));
}
