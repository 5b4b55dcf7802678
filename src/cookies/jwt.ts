/**
 * The cookie format 'jwt': the token in a JWT that others can verify, in exactly one accepted spelling. Used in every
 * thread of the host.
 */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { CODED_LENGTH, type CookieFormat, type TokenTimes } from './format.js';

/** The algorithms to choose from. The option chooses one; a cookie cannot choose another. */
export const ALGORITHMS = ['EdDSA', 'RS256', 'ES256', 'HS256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/**
 * The `typ` of these JWTs: no JWT that the same key has signed for another purpose is accepted as one of these, nor the
 * other way round (RFC 8725, 3.11).
 */
const TYPE = 'coatcheck+jwt';

/** How many milliseconds after `exp` a cookie is still accepted. The session's own end is exact. */
export const CLOCK_TOLERANCE = 5000;

/** The largest cookie that browsers store, in bytes. */
const LONGEST = 4096;

/**
 * The payload in its one accepted form: these claims, in this order. Thirteen digits are enough for any Date in
 * seconds.
 */
const PAYLOAD = new RegExp(
  `^\\{"token":"([\\w-]{${CODED_LENGTH}})","iat":(?:0|[1-9]\\d{0,12})(?:,"exp":([1-9]\\d{0,12}))?\\}$`,
);

/** Half the order of the group of P-256. */
const HALF_ORDER = Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex');

let loaded: typeof import('fast-jwt') | undefined;

/**
 * Loads fast-jwt, which has to be done before a format is made. Only if the format is used, as loading takes each
 * thread about 40 ms and a megabyte. By an `import` that bundlers see.
 */
export async function loadJwt(): Promise<void> {
  loaded ??= await import('fast-jwt');
}

/** For formats that are made without a manager. */
function required(): typeof import('fast-jwt') {
  return createRequire(import.meta.url)('fast-jwt') as typeof import('fast-jwt');
}

/** The parts of a cookie that may be of this format. */
interface Parts {
  readonly token: string;
  /** In milliseconds of session time; Infinity for a JWT without `exp`. */
  readonly goodUntil: number;
  readonly signature: Buffer;
}

/**
 * Makes and accepts JWTs with the claims `token`, `iat` (when the token was issued) and `exp` (when the session reaches
 * its absolute timeout; left out if never), in whole seconds. The first key signs, all verify. The keys have been
 * checked against the algorithm.
 *
 * The JWT itself decides nothing. Its header has to be exactly the one that is written here, so that `none`, other
 * algorithms, `kid`, `jwk` and `crit` need no rules of their own. The claims and the signature have to be spelt as
 * here, so that no second cookie can be made from one.
 */
export function createJwtFormat(algorithm: Algorithm, keys: readonly KeyObject[]): CookieFormat {
  const [signingKey] = keys;
  if (signingKey === undefined) throw new TypeError('a JWT needs a key');
  const { createSigner, createVerifier } = loaded ?? required();
  const sign = createSigner({ algorithm, key: signerKey(signingKey), header: { alg: algorithm, typ: TYPE } });
  const verifiers = keys.map((key) =>
    // This format checks the time itself: fast-jwt reads a clock at 0 as its own default.
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

/** Undefined if the cookie is not in the one accepted form: other claims, or another base64 spelling. */
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
 * For each ECDSA signature (r, s), (r, order − s) is valid as well. Only the one with the smaller s is made and
 * accepted.
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

// fast-jwt accepts keys as text or bytes, and makes KeyObjects of them.
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
