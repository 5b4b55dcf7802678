/** The cookie format 'jwt': what it makes, and the forgeries it must not take. */

import { createHmac, KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { CLOCK_TOLERANCE, createCookieFormat, resolveCookieOptions } from '../support/internals.js';
import { type Algorithm, algorithms, coded, forge, pairFor, signatureOf, verifiedBy } from '../support/jwt.js';

// Before fast-jwt is loaded, which is when the first format is made: how often a signature of any kind is checked.
const crypto = createRequire(import.meta.url)('node:crypto');
const { verify } = crypto;
let checks = 0;
crypto.verify = (...args: unknown[]) => {
  checks += 1;
  return verify(...args);
};
afterAll(() => {
  crypto.verify = verify;
});

const token = Buffer.alloc(32, 0xa5).toString('base64url');
const NOW = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;
const times = { issuedAt: NOW, endsAt: NOW + HOUR };
const claims = { token, iat: NOW / 1000, exp: (NOW + HOUR) / 1000 };

const pairs = Object.fromEntries(algorithms.map((algorithm) => [algorithm, pairFor(algorithm)])) as Record<
  Algorithm,
  ReturnType<typeof pairFor>
>;
const formatOf = (algorithm: Algorithm, ...keys: unknown[]) =>
  createCookieFormat(resolveCookieOptions({ format: 'jwt', algorithm, keys }));

describe.each(algorithms)('JWTs signed by %s', (algorithm) => {
  const pair = pairs[algorithm];
  const other = pairFor(algorithm, 'b');
  const format = formatOf(algorithm, pair.signs);
  const cookie = format.valueOf(token, times);
  const header = { alg: algorithm, typ: 'coatcheck+jwt' };
  const [head = '', body = '', signature = ''] = cookie.split('.');
  const taken = (jwt: string, now = NOW) => format.tokenOf(jwt, now);
  const signed = (input: string) => `${input}.${signatureOf(algorithm, pair.signs, input)}`;

  test('carry the token, when it was given out and when its session ends', () => {
    expect(taken(cookie)).toBe(token);
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual(header);
    expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toEqual(claims);
  });

  test('are checked by others, who need no more than the algorithm and a key', () => {
    expect(verifiedBy(algorithm, pair.verifies, cookie)).toEqual(claims);
    expect(() => verifiedBy(algorithm, other.verifies, cookie)).toThrow();
  });

  test('that are made by hand in the one form are taken: the forgeries below fail for what they say', () => {
    expect(taken(forge(algorithm, pair.signs, header, claims))).toBe(token);
  });

  test('fit into a cookie, whatever the times', () => {
    const latest = format.valueOf(token, { issuedAt: 8.64e15, endsAt: 8.64e15 + 36_525 * 86_400_000 });
    expect(latest.length).toBeLessThan(1000);
    expect(taken(latest)).toBe(token);
    expect(taken(format.valueOf(token, { issuedAt: 0, endsAt: 1 }), 0)).toBe(token);
  });

  test('end with the session’s absolute timeout, in whole seconds and no sooner, and a tolerance after it', () => {
    const odd = format.valueOf(token, { issuedAt: NOW + 1, endsAt: NOW + 1500 });
    expect(JSON.parse(Buffer.from(odd.split('.')[1] ?? '', 'base64url').toString())).toEqual({
      token,
      iat: NOW / 1000,
      exp: NOW / 1000 + 2,
    });
    const last = NOW + HOUR + CLOCK_TOLERANCE;
    expect(format.goodUntil(cookie)).toBe(last);
    expect([taken(cookie, last - 1), taken(cookie, last), taken(cookie, Infinity)]).toEqual([
      token,
      undefined,
      undefined,
    ]);
    expect(CLOCK_TOLERANCE).toBeLessThanOrEqual(10_000);
  });

  test('of a session that no age ends have no end of their own', () => {
    const endless = format.valueOf(token, { issuedAt: NOW, endsAt: Infinity });
    expect(JSON.parse(Buffer.from(endless.split('.')[1] ?? '', 'base64url').toString())).toEqual({
      token,
      iat: NOW / 1000,
    });
    expect(taken(endless, NOW + 1e15)).toBe(token);
    expect(format.goodUntil(endless)).toBe(Infinity);
  });

  test('survive the rotation of keys: the first signs, all verify', () => {
    const rotating = formatOf(algorithm, other.signs, pair.verifies);
    const renewed = formatOf(algorithm, other.signs);
    expect(rotating.tokenOf(cookie, NOW)).toBe(token);
    expect(renewed.tokenOf(rotating.valueOf(token, times), NOW)).toBe(token);
    expect(renewed.tokenOf(cookie, NOW)).toBeUndefined();
    expect(taken(rotating.valueOf(token, times))).toBeUndefined();
    expect(formatOf(algorithm, other.signs, pair.signs).tokenOf(cookie, NOW)).toBe(token);
  });

  // S-24: the algorithm is fixed by the option and the key, never by the cookie.
  test('S-24: `none` is none, in any letter case, with and without a signature', () => {
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null])
      for (const tail of ['', signature, 'AA'])
        expect(taken(`${coded({ ...header, alg })}.${body}.${tail}`)).toBeUndefined();
    for (const alg of ['none', 'NONE']) expect(taken(signed(`${coded({ ...header, alg })}.${body}`))).toBeUndefined();
    expect([taken(`${head}.${body}.`), taken(`${head}.${body}`)]).toEqual([undefined, undefined]);
  });

  test('S-24: swapped algorithms are none: a public key is no secret, and no other algorithm is heard of', () => {
    const names = [
      'HS256',
      'HS384',
      'HS512',
      'RS256',
      'RS512',
      'PS256',
      'ES256',
      'ES384',
      'ES256K',
      'EdDSA',
      'Ed25519',
    ];
    for (const alg of names.filter((name) => name !== algorithm)) {
      const input = `${coded({ ...header, alg })}.${body}`;
      expect(taken(signed(input))).toBeUndefined();
      expect(taken(`${input}.${signature}`)).toBeUndefined();
    }
    if (!(pair.verifies instanceof KeyObject)) return;
    // What a verifier that believes the header would take for its secret.
    const secrets = [
      pair.verifies.export({ type: 'spki', format: 'pem' }),
      pair.verifies.export({ type: 'spki', format: 'der' }),
      JSON.stringify(pair.verifies.export({ format: 'jwk' })),
      '',
    ];
    for (const alg of ['HS256', algorithm])
      for (const secret of secrets) {
        const input = `${coded({ ...header, alg })}.${body}`;
        expect(taken(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)).toBeUndefined();
      }
  });

  test('S-24: another key’s signature is none, nor is another cookie’s', () => {
    expect(taken(forge(algorithm, other.signs, header, claims))).toBeUndefined();
    const [, , foreign] = format.valueOf(token, { issuedAt: NOW, endsAt: NOW + 2 * HOUR }).split('.');
    expect(taken(`${head}.${body}.${foreign}`)).toBeUndefined();
  });

  test('S-24: a `kid` is none, whatever it names, and so are keys and places of keys that come with the cookie', () => {
    const jwk = pair.verifies instanceof KeyObject ? pair.verifies.export({ format: 'jwk' }) : { kty: 'oct', k: '' };
    const more = [
      { kid: '../../../../dev/null' },
      { kid: '/proc/sys/kernel/ostype' },
      { kid: "x' UNION SELECT 'a" },
      { kid: '0' },
      { jwk },
      { jku: 'https://evil.example/keys' },
      { x5u: 'https://evil.example/cert' },
      { x5c: ['MII='] },
    ];
    for (const each of more)
      expect(taken(forge(algorithm, pair.signs, { ...header, ...each }, claims))).toBeUndefined();
  });

  test('S-24: crit is none, also where it is empty or names what is known', () => {
    for (const crit of [['exp'], ['b64'], [], null, false, '', 0, 'exp', ['alg'], {}])
      expect(taken(forge(algorithm, pair.signs, { ...header, crit, b64: true }, claims))).toBeUndefined();
  });

  test('S-24: duplicate keys are none, in the header and in the claims', () => {
    const text = JSON.stringify(claims);
    for (const doubled of [
      text.replace('{', `{"token":"${'x'.repeat(43)}",`),
      text.replace('}', `,"token":"${'x'.repeat(43)}"}`),
      text.replace('}', `,"exp":${claims.exp + 1}}`),
      text.replace('}', ',"exp":9999999999}'),
      text.replace('{', '{"exp":9999999999,'),
    ])
      expect(taken(forge(algorithm, pair.signs, header, doubled))).toBeUndefined();
    const named = JSON.stringify(header);
    for (const doubled of [named.replace('{', '{"alg":"none",'), named.replace('}', ',"alg":"none"}')])
      expect(taken(forge(algorithm, pair.signs, doubled, claims))).toBeUndefined();
  });

  test('S-24: malleable base64 is none: one cookie has one spelling', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const standard = (part: string) => Buffer.from(part, 'base64url').toString('base64');
    const others = [
      `${cookie}=`,
      `${cookie}==`,
      `${head}=.${body}.${signature}`,
      `${head}.${body}=.${signature}`,
      ` ${cookie}`,
      `${cookie} `,
      `${cookie}\n`,
      `"${cookie}"`,
      `${cookie}.`,
      `.${cookie}`,
      `${cookie}.${signature}`,
      `${head}.${body}..${signature}`,
      `${head}.\n${body}.${signature}`,
      `${head}.${body}.${standard(signature)}`,
      `${standard(head)}.${body}.${signature}`,
    ];
    for (const jwt of others.filter((jwt) => jwt !== cookie)) expect(taken(jwt)).toBeUndefined();
    // Other last letters stand for the same bytes.
    for (const [at, part] of [head, body, signature].entries())
      for (const letter of alphabet) {
        const parts = [head, body, signature];
        parts[at] = part.slice(0, -1) + letter;
        const jwt = parts.join('.');
        expect(taken(jwt)).toBe(jwt === cookie ? token : undefined);
      }
    // The same claims in other JSON, signed by the right key.
    const { iat, exp } = claims;
    for (const other of [
      ` ${JSON.stringify(claims)}`,
      JSON.stringify(claims, undefined, 1),
      JSON.stringify({ iat, exp, token }),
      JSON.stringify({ token, exp, iat }),
      JSON.stringify(claims).replace('"token"', '"\\u0074oken"'),
      JSON.stringify(claims).replace(`${exp}`, `${exp}.0`),
      JSON.stringify(claims).replace(`${exp}`, `0${exp}`),
      JSON.stringify(claims).replace(`${exp}`, `${exp / 10}e1`),
      `${JSON.stringify(claims)}\0`,
    ])
      expect(taken(forge(algorithm, pair.signs, header, other))).toBeUndefined();
  });

  test('with other claims are none, though the right key has signed them', () => {
    const { iat, exp } = claims;
    const others: unknown[] = [
      { token: 5, iat, exp },
      { token: null, iat, exp },
      { token: [token], iat, exp },
      { token: { toString: token }, iat, exp },
      { token: `${token}x`, iat, exp },
      { token: token.slice(1), iat, exp },
      { token: `${token.slice(1)}\n`, iat, exp },
      { token, iat, exp: `${exp}` },
      { token, iat, exp: -exp },
      { token, iat, exp: 0 },
      { token, iat, exp: null },
      { token, iat, exp: 1e21 },
      { token, iat, exp: exp + 0.5 },
      { token, iat: 'x', exp },
      { token, exp },
      { iat, exp },
      { token, iat, exp, nbf: 0 },
      { token, iat, exp, admin: true },
      {},
      [],
      null,
      token,
      '"text"',
      '{',
      '',
    ];
    for (const other of others) expect(taken(forge(algorithm, pair.signs, header, other))).toBeUndefined();
  });

  test('that were signed with the same key for another purpose are none', () => {
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'COATCHECK+JWT', 'application/coatcheck+jwt', undefined, null])
      expect(taken(forge(algorithm, pair.signs, { alg: algorithm, typ }, claims))).toBeUndefined();
    expect(taken(forge(algorithm, pair.signs, { typ: header.typ, alg: algorithm }, claims))).toBeUndefined();
  });

  test('that are huge or rubbish are none, and nothing throws', () => {
    const huge = 'x'.repeat(4_000_000);
    for (const jwt of [huge, `${head}.${huge}.${signature}`, `${head}.${body}.${huge}`, '.'.repeat(4_000_000)])
      expect(taken(jwt)).toBeUndefined();
    for (const jwt of ['', '.', '..', '...', `${head}..`, `${head}.`, head, '\0', '😀.😀.😀', `${head}.${body}.\ud83d`])
      expect(taken(jwt)).toBeUndefined();
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => taken(text) === undefined));
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => taken(`${head}.${coded(a)}.${coded(b)}`) === undefined));
  });

  test('with any one character changed, left out, doubled or put in are none', () => {
    const letters = ['A', 'B', '.', '=', '-', '_', '+', '/', ' ', '\0', '\u0100', '\u0141', '"', '%'];
    for (let at = 0; at < cookie.length; at++) {
      const code = cookie.charCodeAt(at);
      const flips = Array.from({ length: 16 }, (_, bit) => String.fromCharCode(code ^ (1 << bit)));
      for (const letter of [...flips, ...letters])
        if (letter !== cookie[at]) expect(taken(cookie.slice(0, at) + letter + cookie.slice(at + 1))).toBeUndefined();
      expect(taken(cookie.slice(0, at) + cookie.slice(at + 1))).toBeUndefined();
      expect(taken(cookie.slice(0, at))).toBeUndefined();
      for (const letter of [cookie[at], 'A', '.', '='])
        expect(taken(cookie.slice(0, at) + letter + cookie.slice(at))).toBeUndefined();
    }
  });

  test('with any bit of what is coded changed are none', () => {
    for (const [at, part] of [head, body, signature].entries()) {
      const bytes = Buffer.from(part, 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        const parts = [head, body, signature];
        parts[at] = changed.toString('base64url');
        expect(taken(parts.join('.'))).toBeUndefined();
      }
    }
  });
});

test('an ECDSA signature’s twin, which is as valid, is none: of two spellings one is made and taken', () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const format = formatOf('ES256', pairs.ES256.signs);
  for (let i = 0; i < 30; i++) {
    const cookie = format.valueOf(token, { issuedAt: NOW, endsAt: NOW + HOUR + i * 1000 });
    const [head, body, signature = ''] = cookie.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const twin = (order - BigInt(`0x${bytes.toString('hex', 32)}`)).toString(16).padStart(64, '0');
    const other = `${head}.${body}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(twin, 'hex')]).toString('base64url')}`;
    expect(verifiedBy('ES256', pairs.ES256.verifies, other)).toMatchObject({ token });
    expect([format.tokenOf(cookie, NOW), format.tokenOf(other, NOW)]).toEqual([token, undefined]);
  }
});

test('S-09: a key that serves two formats makes no cookie of one that the other takes', () => {
  const key = 'k'.repeat(32);
  const jwt = formatOf('HS256', key);
  const signed = createCookieFormat(resolveCookieOptions({ format: 'signed', keys: [key] }));
  const opaque = createCookieFormat(resolveCookieOptions({}));
  const formats = [opaque, signed, jwt];
  const cookies = formats.map((format) => format.valueOf(token, times));
  for (const [i, format] of formats.entries())
    expect(cookies.map((cookie) => format.tokenOf(cookie, NOW))).toEqual(
      formats.map((_, j) => (i === j ? token : undefined)),
    );
});

test('what is of the wrong form, or over, costs no check of a signature', () => {
  const format = formatOf('EdDSA', pairs.EdDSA.signs);
  const cookie = format.valueOf(token, times);
  const before = checks;
  expect(format.tokenOf(cookie, NOW + 2 * HOUR)).toBeUndefined();
  expect(format.tokenOf(`${cookie}=`, NOW)).toBeUndefined();
  expect(format.tokenOf(cookie.replace('.', 'x.'), NOW)).toBeUndefined();
  expect(checks).toBe(before);
  expect(format.tokenOf(cookie, NOW)).toBe(token);
  expect(checks).toBe(before + 1);
});
