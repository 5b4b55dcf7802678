/** The options of the adapters, checked and completed when a middleware is made. Runs in every thread of the host. */

import { types } from 'node:util';
import { parseSetCookie } from 'cookie';
import ms from 'ms';
import * as v from 'valibot';
import { SessionError, type SessionInfo, type SessionManager } from '../../index.js';
import { type Trust, trustIn } from './address.js';

/** Reported when a session comes from another client than the one it was created for. */
export interface Mismatch {
  readonly session: SessionInfo;
  /** What differs. */
  readonly differs: readonly ('userAgent' | 'ip')[];
}

/**
 * How a session is bound to the client that it was created for. A value that was not known at creation matches no
 * client that has one: a session that is created by `manager.newSession` has to be given its `client`.
 */
export interface BindOptions {
  /**
   * The User-Agent header has to stay the same; being absent is a value like any other. Default false. Browsers change
   * it with every update.
   */
  userAgent?: boolean;
  /**
   * The client's address has to stay the same ('exact'), or in the same network ('prefix': IPv4 /24, IPv6 /64).
   * Default: it may change. Behind a proxy, set `trustProxy`. If the address is not known (a Unix socket, a proxy that
   * sends 'unknown', Hono without a Node server), creating a session is refused with HttpRefusal 403,
   * ERR_CLIENT_UNKNOWN; with `mismatch: 'report'`, each request is reported instead.
   */
  ip?: 'exact' | 'prefix';
  /**
   * What happens to a request that does not match. 'refuse' (default): it gets no session, but the session stays alive.
   * 'end': the session ends as well. 'report': it gets the session, and only `onMismatch` is called.
   */
  mismatch?: 'report' | 'refuse' | 'end';
}

export interface HttpOptions {
  /**
   * The trusted proxies in front of this server: addresses, ranges such as '10.0.0.0/8', or 'loopback', 'linklocal',
   * 'uniquelocal'. X-Forwarded-For (the client's address) and X-Forwarded-Proto (for `secure: 'auto'`) are believed
   * only from these. Default: none.
   */
  trustProxy?: string | readonly string[];
  /**
   * 'auto': the cookie is Secure if the request came over TLS, to this server or to a trusted proxy. For sites that are
   * reached both ways. The manager then needs `cookie: { secure: false }`. Default: as the manager's cookie.
   */
  secure?: 'auto';
  /** Default: sessions are not bound to a client. */
  bind?: BindOptions;
  /** Called for each request that `bind` finds not to match. What it throws is reported as an uncaughtException. */
  onMismatch?: (mismatch: Mismatch) => void;
  /**
   * Called with the error of a change that failed without being awaited by the handler. Default: emits a process
   * warning. A session that has ended is no such error, as a logout elsewhere causes it.
   */
  onLostWrite?: (error: unknown) => void;
}

export interface ResolvedHttpOptions {
  readonly cookieName: string;
  readonly trust: Trust;
  readonly autoSecure: boolean;
  readonly bind: { readonly userAgent: boolean; readonly ip: 'exact' | 'prefix' | undefined };
  /** Whether a session is bound to anything. */
  readonly isBound: boolean;
  readonly mismatch: 'report' | 'refuse' | 'end';
  readonly onMismatch: ((mismatch: Mismatch) => void) | undefined;
  readonly onLostWrite: (error: unknown) => void;
}

const listener = v.custom<(told: unknown) => void>((value) => typeof value === 'function', 'a function');

const bindSchema = v.strictObject(
  {
    userAgent: v.optional(v.boolean('true or false'), false),
    ip: v.optional(v.picklist(['exact', 'prefix'], "'exact' or 'prefix'")),
    mismatch: v.optional(v.picklist(['report', 'refuse', 'end'], "'report', 'refuse' or 'end'"), 'refuse'),
  },
  nothingElse,
);

const proxies = 'an address or range, or an array of them';

const schema = v.strictObject(
  {
    trustProxy: v.optional(v.union([v.string(), v.array(v.string(proxies), proxies)], proxies), []),
    secure: v.optional(v.literal('auto', "'auto', or left out")),
    bind: v.optional(bindSchema, {}),
    onMismatch: v.optional(listener),
    onLostWrite: v.optional(listener, () => warnOfLostWrite),
  },
  nothingElse,
);

function nothingElse(issue: v.StrictObjectIssue): string {
  return issue.expected === 'never' ? 'left out: there is no such option' : 'a plain object';
}

/** Checks and completes the options of a middleware. Throws ERR_INVALID_OPTION, which names the option. */
export function resolveHttpOptions(manager: SessionManager, options: unknown): ResolvedHttpOptions {
  if (!isManager(manager)) throw refused('manager', 'a session manager, as `startSessionManager` resolves to it');
  const result = v.safeParse(schema, options === undefined ? {} : options, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw refused(v.getDotPath(issue) ?? 'options', issue.message);
  }
  const { trustProxy, secure, bind, onMismatch, onLostWrite } = result.output;
  const cookie = manager.clearCookieData();
  if (secure === 'auto' && parseSetCookie(cookie.toString()).secure)
    throw refused('secure', "left out: 'auto' asks for a manager with `cookie: { secure: false }`");
  if (bind.mismatch === 'report' && onMismatch === undefined)
    throw refused('onMismatch', "a function where `bind.mismatch` is 'report', which does nothing else");
  return {
    cookieName: cookie.name,
    trust: trustIn(typeof trustProxy === 'string' ? [trustProxy] : trustProxy),
    autoSecure: secure === 'auto',
    bind: { userAgent: bind.userAgent, ip: bind.ip },
    isBound: bind.userAgent || bind.ip !== undefined,
    mismatch: bind.mismatch,
    onMismatch,
    onLostWrite,
  };
}

/**
 * The options of a call that a handler makes. Throws ERR_INVALID_OPTION if they are no plain object, or have any other
 * name.
 */
export function optionsOf<const N extends string>(
  options: unknown,
  names: readonly N[],
): { readonly [K in N]?: unknown } {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw refused('options', 'a plain object');
  const unknown = Object.keys(options).find((key) => !(names as readonly string[]).includes(key));
  if (unknown !== undefined) throw refused('options', `one with no other names than ${names.join(', ')}`);
  return options;
}

/** A duration in milliseconds. Throws ERR_INVALID_OPTION. */
export function millisecondsOf(what: string, duration: unknown): number {
  const milliseconds =
    typeof duration === 'string' && /^\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h|d)$/.test(duration)
      ? ms(duration as ms.StringValue)
      : duration;
  if (typeof milliseconds === 'number' && milliseconds >= 0 && Number.isFinite(milliseconds)) return milliseconds;
  throw refused(what, "a duration such as '10m', or milliseconds");
}

/** The error for a wrong option or argument. The value is not shown, as it may be anything that a client sent. */
export function refused(what: string, tobe: string): SessionError {
  return new SessionError('ERR_INVALID_OPTION', `Expected \`${what}\` to be ${tobe}`);
}

function isManager(value: unknown): boolean {
  const methods = ['getClaim', 'getClaimOf', 'loadSession', 'newSession', 'clearCookieData'];
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

function warnOfLostWrite(error: unknown): void {
  const text = types.isNativeError(error) ? error.message : String(error);
  process.emitWarning(`A change of a session failed, and its handler did not wait for it: ${text}`, 'CoatcheckWarning');
}
