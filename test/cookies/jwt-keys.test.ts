/** The keys of JWTs: what fits which algorithm, and what is refused before a manager starts. */

import { createPublicKey, createSecretKey, generateKeyPairSync, KeyObject, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startSessionManager } from '../../dist/src/index.js';
import { createCookieFormat, resolveCookieOptions, SessionError } from '../support/internals.js';
import type { Algorithm } from '../support/jwt.js';

const token = Buffer.alloc(32, 0xa5).toString('base64url');
const times = { issuedAt: 0, endsAt: 1e12 };
const resolve = (algorithm: Algorithm, ...keys: unknown[]) => resolveCookieOptions({ format: 'jwt', algorithm, keys });

function refusal(algorithm: Algorithm, ...keys: unknown[]): string {
  try {
    resolve(algorithm, ...keys);
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    expect((error as SessionError).code).toBe('ERR_INVALID_OPTION');
    expect((error as SessionError).cause).toBeUndefined();
    return (error as SessionError).message;
  }
  throw new Error('was accepted');
}

const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const pairs = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: ec('P-256'),
  RS256: rsa(2048),
};
const asymmetric = ['EdDSA', 'ES256', 'RS256'] as const;

/** What else there is, by a name. */
const others = {
  'RSA of 1024 bits': rsa(1024),
  'RSA of 2040 bits': rsa(2040),
  'RSA of the exponent 3': rsa(2048, 3),
  'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  Ed448: generateKeyPairSync('ed448'),
  X25519: generateKeyPairSync('x25519'),
  'P-384': ec('P-384'),
  'P-521': ec('P-521'),
  secp256k1: ec('secp256k1'),
};

const pem = (key: KeyObject) => String(key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }));
const der = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'der' } as never) as unknown as Buffer;
const formsOf = (key: KeyObject) => [key, pem(key), Buffer.from(pem(key)), new Uint8Array(der(key)), `\n${pem(key)}\n`];

describe.each(asymmetric)('keys for %s', (algorithm) => {
  const { privateKey, publicKey } = pairs[algorithm];

  test('are PEM, DER or KeyObjects, as text or bytes', () => {
    const cookie = createCookieFormat(resolve(algorithm, privateKey)).valueOf(token, times);
    for (const form of formsOf(privateKey))
      expect(createCookieFormat(resolve(algorithm, form)).tokenOf(cookie, 0)).toBe(token);
    const next = generateNext(algorithm);
    for (const form of [...formsOf(privateKey), ...formsOf(publicKey)])
      expect(createCookieFormat(resolve(algorithm, next, form)).tokenOf(cookie, 0)).toBe(token);
  });

  test('are private for the first, which signs; of the further ones the public half is kept', () => {
    for (const form of formsOf(publicKey)) expect(refusal(algorithm, form)).toContain('`cookie.keys[0]`');
    expect(refusal(algorithm, publicKey, privateKey)).toContain('private');
    const { keys } = resolve(algorithm, generateNext(algorithm), privateKey, publicKey);
    expect(keys.map(({ type }) => type)).toEqual(['private', 'public', 'public']);
  });

  test('that are of another kind are refused, by their place', () => {
    const wrong = [
      ...asymmetric.filter((name) => name !== algorithm).map((name) => pairs[name]),
      ...Object.values(others),
    ];
    for (const pair of wrong)
      for (const form of [pair.privateKey, pem(pair.privateKey), der(pair.privateKey)]) {
        expect(refusal(algorithm, form)).toMatch(new RegExp(`\`cookie.keys\\[0\\]\`.*'${algorithm}'`));
        expect(refusal(algorithm, privateKey, form)).toContain('`cookie.keys[1]`');
      }
    for (const pair of wrong) expect(refusal(algorithm, privateKey, pair.publicKey)).toContain('`cookie.keys[1]`');
  });

  test('that are none are refused, whatever they are', () => {
    const locked = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' });
    const broken = pem(privateKey).replace(/\n[\w+/]{8}/, '\nAAAAAAAA');
    for (const bad of [
      'x'.repeat(32),
      randomBytes(32),
      createSecretKey(randomBytes(32)),
      '',
      new Uint8Array(0),
      locked,
      broken,
      privateKey.export({ format: 'jwk' }),
      JSON.stringify(privateKey.export({ format: 'jwk' })),
      null,
      undefined,
      5,
      {},
      [privateKey],
      Object.create(KeyObject.prototype),
    ])
      expect(refusal(algorithm, bad)).toContain('`cookie.keys');
  });
});

function generateNext(algorithm: (typeof asymmetric)[number]): KeyObject {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519').privateKey;
  return (algorithm === 'ES256' ? ec('P-256') : rsa(2048)).privateKey;
}

test("secrets of the format 'signed' are no keys of other algorithms either", () => {
  for (const { privateKey, publicKey } of Object.values(pairs))
    for (const form of [privateKey, publicKey].flatMap(formsOf))
      for (const keys of [[form], ['x'.repeat(32), form]])
        expect(() => resolveCookieOptions({ format: 'signed', keys })).toThrow(`cookie.keys[${keys.length - 1}]`);
});

describe('keys for HS256', () => {
  test('are secrets of at least 32 bytes', () => {
    const raw = randomBytes(32);
    const cookie = createCookieFormat(resolve('HS256', raw)).valueOf(token, times);
    for (const form of [raw, new Uint8Array(raw), createSecretKey(raw)])
      expect(createCookieFormat(resolve('HS256', form)).tokenOf(cookie, 0)).toBe(token);
    const text = createCookieFormat(resolve('HS256', 'é'.repeat(16))).valueOf(token, times);
    expect(createCookieFormat(resolve('HS256', Buffer.from('é'.repeat(16)))).tokenOf(text, 0)).toBe(token);
    for (const short of ['x'.repeat(31), new Uint8Array(31), createSecretKey(randomBytes(31)), ''])
      expect(refusal('HS256', short)).toContain('`cookie.keys[0]`');
  });

  test('are no keys of other algorithms: who knows a public key must not be able to sign with it', () => {
    for (const { privateKey, publicKey } of [...Object.values(pairs), ...Object.values(others)])
      for (const key of [privateKey, publicKey])
        for (const form of formsOf(key)) {
          expect(refusal('HS256', form)).toContain('`cookie.keys[0]`');
          expect(refusal('HS256', 'x'.repeat(32), form)).toContain('`cookie.keys[1]`');
        }
    for (const { privateKey, publicKey } of Object.values(pairs))
      for (const jwk of [privateKey, publicKey].map((key) => key.export({ format: 'jwk' })))
        for (const text of [jwk, [jwk], { keys: [jwk] }].map((value) => JSON.stringify(value, undefined, 1)))
          expect(refusal('HS256', text)).toContain('`cookie.keys[0]`');
  });
});

test('the algorithm is EdDSA where none is named', () => {
  const { privateKey } = pairs.EdDSA;
  expect(resolveCookieOptions({ format: 'jwt', keys: [privateKey] }).algorithm).toBe('EdDSA');
  expect(() => resolveCookieOptions({ format: 'jwt', keys: [pairs.RS256.privateKey] })).toThrow(SessionError);
});

test('JWTs need keys, 1 to 16 of them', () => {
  const { privateKey } = pairs.EdDSA;
  for (const keys of [
    undefined,
    null,
    [],
    Array(17).fill(privateKey),
    privateKey,
    pem(privateKey),
    { 0: privateKey },
  ]) {
    expect(() => resolveCookieOptions({ format: 'jwt', keys })).toThrow(/`cookie\.keys`/);
  }
  expect(resolve('EdDSA', ...Array(16).fill(privateKey)).keys).toHaveLength(16);
  expect(() => createCookieFormat({ format: 'jwt', algorithm: 'EdDSA', keys: [] })).toThrow(TypeError);
});

test('no key is shown, in no error and no print', async () => {
  const secret = 'correct horse battery';
  for (const algorithm of ['HS256', ...asymmetric] as const) {
    const bad = [secret, Buffer.from(secret), createSecretKey(Buffer.from(secret)), [secret], { secret }];
    for (const key of bad) expect(refusal(algorithm, key)).not.toMatch(/correct|horse|battery|636f72/);
    for (const { privateKey } of [others['P-384'], others['RSA of 1024 bits']]) {
      const body = pem(privateKey).split('\n')[1] as string;
      for (const form of [pem(privateKey), privateKey]) expect(refusal(algorithm, form)).not.toContain(body);
    }
  }
  const { privateKey } = pairs.EdDSA;
  const { d } = privateKey.export({ format: 'jwk' });
  expect(inspect(resolve('EdDSA', privateKey), { depth: 9, showHidden: true })).not.toContain(d);
  const refused = startSessionManager({ cookie: { format: 'jwt', algorithm: 'RS256', keys: [pem(privateKey)] } });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
  await expect(refused).rejects.not.toThrow(/PRIVATE/);
});

test('bytes are copied: changing them later changes nothing, and they are left as they were', () => {
  const bytes = der(pairs.EdDSA.privateKey);
  const before = Buffer.from(bytes);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  const format = createCookieFormat(resolve('EdDSA', bytes, shared));
  expect(bytes).toEqual(before);
  const cookie = format.valueOf(token, times);
  bytes.fill(0);
  shared.fill(0);
  expect(format.valueOf(token, times)).toBe(cookie);
  expect(createPublicKey(pairs.EdDSA.privateKey).type).toBe('public');
});
