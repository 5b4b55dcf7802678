/**
 * The cookie format 'jwt': a token in a JWT that others can check, of which there is one spelling. Used in every thread
 * of the host.
 */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { CODED_LENGTH, type CookieFormat, type TokenTimes } from './format.js';

/** The algorithms to choose from. One is chosen, and no cookie has a say in it. */
export const ALGORITHMS = ['EdDSA', 'RS256', 'ES256', 'HS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/**
 * What the header calls these JWTs, so that none that was signed with the same key for anything else is taken for one
 * (RFC 8725, 3.11), nor one of these for anything else.
 */
const TYPE = 'coatcheck+jwt';

/** So many milliseconds after `exp` a cookie is still taken. The session's own end is exact. */
export const CLOCK_TOLERANCE = 5000;

/** Browsers keep no cookie of more bytes. */
const LONGEST = 4096;

/**
 * The claims as they are written, in this order and in no other form. Thirteen digits: all that a Date can be, in
 * seconds.
 */
const PAYLOAD = new RegExp(
  `^\\{"token":"([\\w-]{${CODED_LENGTH}})","iat":(?:0|[1-9]\\d{0,12})(?:,"exp":([1-9]\\d{0,12}))?\\}$`,
);

/** Half the order of P-256's group. */
const HALF_ORDER = Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex');

let loaded: typeof import('fast-jwt') | undefined;

/**
 * Before a format is made. Only where it is used, as that takes each thread some 40 ms and a megabyte; by an import
 * that bundlers see.
 */
export async function loadJwt(): Promise<void> {
  loaded ??= await import('fast-jwt');
}

/** For who makes a format without a manager. */
function required(): typeof import('fast-jwt') {
  return createRequire(import.meta.url)('fast-jwt') as typeof import('fast-jwt');
}

/** The parts of what may be a cookie of this format. */
interface Parts {
  readonly token: string;
  /** Milliseconds; Infinity for a JWT without `exp`. */
  readonly goodUntil: number;
  readonly signature: Buffer;
}

/**
 * JWTs of the claims `token`, `iat` (when the token was given out) and `exp` (when the session ends, however busy; left
 * out where it never does), in whole seconds. The first key signs, all verify. Their fitness for the algorithm has been
 * seen to.
 *
 * What a JWT says of itself decides nothing: its header must be, letter by letter, the one that is written here, so
 * that `none`, another algorithm, `kid`, `jwk` and `crit` need no rule of their own; and its claims and its signature
 * must be spelt as they are here, so that nobody can make two cookies of one.
 */
export function createJwtFormat(algorithm: Algorithm, keys: readonly KeyObject[]): CookieFormat {
  const [signingKey] = keys;
  if (signingKey === undefined) throw new TypeError('a JWT needs a key');
  const { createSigner, createVerifier } = loaded ?? required();
  const sign = createSigner({ algorithm, key: signerKey(signingKey), header: { alg: algorithm, typ: TYPE } });
  const verifiers = keys.map((key) =>
    // The time is this format's business: fast-jwt takes its own for a clock that stands at 0.
    createVerifier({
      algorithms: [algorithm],
      key: verifierKey(key),
      checkTyp: TYPE,
      ignoreExpiration: true,
      ignoreNotBefore: true,
    }),
  );
  const [verifyFirst] = verifiers;
  const head = `${encode(JSON.stringify({ alg: algorithm, typ: TYPE }))}.`;

  return {
    tokenOf(cookie, now) {
      if (cookie.length > LONGEST || !cookie.startsWith(head)) return undefined;
      const parts = partsOf(cookie, head.length);
      if (parts === undefined || now >= parts.goodUntil) return undefined;
      if (algorithm === 'ES256' && isGreater(parts.signature)) return undefined;
      return verifiers.some((verify) => isVerified(verify, cookie)) ? parts.token : undefined;
    },
    isOutdated: (cookie) => verifiers.length > 1 && verifyFirst !== undefined && !isVerified(verifyFirst, cookie),
    goodUntil: (cookie) => partsOf(cookie, head.length)?.goodUntil ?? 0,
    valueOf(token, times) {
      const payload = payloadOf(token, times);
      for (;;) {
        const cookie = sign(payload);
        if (algorithm !== 'ES256' || !isGreater(signatureOf(cookie))) return cookie;
      }
    },
  };
}

function payloadOf(token: string, { issuedAt, endsAt }: TokenTimes) {
  const iat = Math.floor(issuedAt / 1000);
  // Rounded up: the cookie may outlive its session, but not the other way round.
  return Number.isFinite(endsAt) ? { token, iat, exp: Math.ceil(endsAt / 1000) } : { token, iat };
}

/** Undefined for what has not the one form: other claims, or the same in other base64. */
function partsOf(cookie: string, start: number): Parts | undefined {
  const end = cookie.indexOf('.', start);
  if (end < 0) return undefined;
  const coded = cookie.slice(start, end);
  const text = Buffer.from(coded, 'base64url').toString('latin1');
  const [, token, exp] = PAYLOAD.exec(text) ?? [];
  if (token === undefined || encode(text) !== coded) return undefined;
  const signature = signatureOf(cookie);
  if (signature.toString('base64url') !== cookie.slice(end + 1)) return undefined;
  const goodUntil = exp === undefined ? Number.POSITIVE_INFINITY : Number(exp) * 1000 + CLOCK_TOLERANCE;
  return { token, goodUntil, signature };
}

function signatureOf(cookie: string): Buffer {
  return Buffer.from(cookie.slice(cookie.lastIndexOf('.') + 1), 'base64url');
}

/**
 * An ECDSA signature (r, s) has a twin as valid as itself, (r, order − s): the one with the lesser s is made and taken,
 * and not the other.
 */
function isGreater(signature: Buffer): boolean {
  return signature.length !== 64 || signature.compare(HALF_ORDER, 0, 32, 32, 64) > 0;
}

function isVerified(verify: (cookie: string) => unknown, cookie: string): boolean {
  try {
    verify(cookie);
    return true;
  } catch {
    return false;
  }
}

// fast-jwt takes keys as text or bytes, and makes KeyObjects of them.
function signerKey(key: KeyObject): string | Buffer {
  return key.type === 'secret' ? key.export() : (key.export({ type: 'pkcs8', format: 'pem' }) as string);
}

function verifierKey(key: KeyObject): string | Buffer {
  if (key.type === 'secret') return key.export();
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ type: 'spki', format: 'pem' }) as string;
}

function encode(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url');
}
