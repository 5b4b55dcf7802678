import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { createCookieFormat, resolveCookieOptions, SessionError } from '../support/internals.js';

const token = Buffer.alloc(32, 0xa5).toString('base64url');
const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const key = (letter: string) => letter.repeat(32);

function refusal(options: unknown): string {
  try {
    resolveCookieOptions(options);
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    expect((error as SessionError).code).toBe('ERR_INVALID_OPTION');
    return (error as SessionError).message;
  }
  throw new Error('was accepted');
}

function isAccepted(options: unknown): boolean {
  try {
    resolveCookieOptions(options);
    return true;
  } catch (error) {
    expect((error as SessionError).code).toBe('ERR_INVALID_OPTION');
    return false;
  }
}

const signedBy = (...keys: unknown[]) => createCookieFormat(resolveCookieOptions({ format: 'signed', keys }));

describe('the options', () => {
  test('have their defaults', () => {
    const common = {
      format: 'opaque',
      keys: [],
      sameSite: 'lax',
      path: '/',
      domain: undefined,
      partitioned: false,
      persistent: true,
    };
    expect(resolveCookieOptions(undefined)).toEqual({ name: '__Host-id', secure: true, ...common });
    expect(resolveCookieOptions({ secure: false })).toEqual({ name: 'id', secure: false, ...common });
  });

  test('a name is a token of at most 128 characters: every byte', () => {
    for (const byte of bytes) {
      const isTokenChar = /[A-Za-z0-9!#$%&'*+.^_`|~-]/.test(byte);
      for (const name of [byte, `a${byte}`, `${byte}a`, `a${byte}b`])
        expect([name, isAccepted({ name })]).toEqual([name, isTokenChar]);
    }
    expect(isAccepted({ name: 'x'.repeat(128) })).toBe(true);
    for (const name of ['', 'x'.repeat(129), 'é', 'Ā', '😀', 'id\n', '\u2000__Host-id', null, 5, {}]) refusal({ name });
  });

  test('names with a prefix are held to what browsers demand of them, in any letter case', () => {
    for (const prefix of ['__Host-', '__host-', '__HOST-', '__Host-Http-', '__hOsT-hTtP-']) {
      const name = `${prefix}id`;
      expect(isAccepted({ name })).toBe(true);
      expect(refusal({ name, secure: false })).toContain('`cookie.secure`');
      expect(refusal({ name, path: '/app' })).toContain('`cookie.path`');
      expect(refusal({ name, domain: 'example.com' })).toContain('`cookie.domain`');
    }
    for (const prefix of ['__Secure-', '__secure-', '__Http-', '__HTTP-']) {
      const name = `${prefix}id`;
      expect(isAccepted({ name, path: '/app', domain: 'example.com' })).toBe(true);
      expect(refusal({ name, secure: false })).toContain('`cookie.secure`');
    }
    for (const name of ['sid', '_Host-id', 'x__Host-id', '__Hostid', '__Host'])
      expect(isAccepted({ name, secure: false, path: '/app', domain: 'example.com' })).toBe(true);
    expect(refusal({ domain: 'example.com' })).toContain('`cookie.domain`');
    expect(refusal({ path: '/app' })).toContain('`cookie.path`');
  });

  test('a path begins with / and is of visible ASCII: every byte', () => {
    for (const byte of bytes) {
      const fits = byte > ' ' && byte < '\x7f' && byte !== ';' && byte !== '<';
      for (const path of [`/${byte}`, `/a${byte}b`])
        expect([path, isAccepted({ name: 'id', path })]).toEqual([path, fits]);
      expect(isAccepted({ name: 'id', path: byte })).toBe(byte === '/');
    }
    expect(isAccepted({ name: 'id', path: `/${'x'.repeat(1023)}` })).toBe(true);
    for (const path of ['', 'app', `/${'x'.repeat(1024)}`, '/é', '/Ļ', '/\n', null, 5]) refusal({ name: 'id', path });
  });

  test('a domain is a host name: every byte', () => {
    for (const byte of bytes) {
      const isLetter = /[A-Za-z0-9]/.test(byte);
      const isInner = isLetter || byte === '-' || byte === '.';
      expect([byte, isAccepted({ name: 'id', domain: `a${byte}b.example` })]).toEqual([byte, isInner]);
      for (const domain of [byte, `${byte}a`, `a${byte}`].map((label) => `${label}.example`))
        expect([domain, isAccepted({ name: 'id', domain })]).toEqual([domain, isLetter]);
    }
    const label = 'x'.repeat(63);
    const longest = `${label}.${label}.${label}.${'x'.repeat(61)}`;
    for (const domain of ['localhost', 'example.com', 'EXAMPLE.com', 'xn--bcher-kva.example', longest, '127.0.0.1'])
      expect(isAccepted({ name: 'id', domain })).toBe(true);
    for (const domain of [
      '',
      '.example.com',
      'example.com.',
      'a..b',
      `${label}x.com`,
      `${longest}x`,
      'bücher.de',
      'a.com\n',
      null,
      5,
    ])
      refusal({ name: 'id', domain });
  });

  test('a domain is more than a top-level one, for which no browser takes a cookie', () => {
    for (const domain of ['com', 'COM', 'de', 'xn--p1ai', 'intranet'])
      expect(refusal({ name: 'id', domain })).toContain('`cookie.domain`');
  });

  test('sameSite and the booleans are nothing else: every byte', () => {
    for (const sameSite of ['lax', 'strict', 'none']) {
      expect(resolveCookieOptions({ sameSite }).sameSite).toBe(sameSite);
      for (const byte of bytes) expect(refusal({ sameSite: sameSite + byte })).toContain('`cookie.sameSite`');
    }
    for (const value of ['', 'Lax', true, false, null])
      expect(refusal({ sameSite: value })).toContain('`cookie.sameSite`');
    for (const name of ['secure', 'partitioned', 'persistent'])
      for (const value of [null, 0, 1, 'true', '; x', {}])
        expect(refusal({ [name]: value })).toContain(`\`cookie.${name}\``);
  });

  test('what browsers take from secure cookies only is refused without `secure`', () => {
    expect(refusal({ secure: false, sameSite: 'none' })).toContain('`cookie.secure`');
    expect(refusal({ secure: false, partitioned: true })).toContain('`cookie.secure`');
    expect(isAccepted({ sameSite: 'none', partitioned: true })).toBe(true);
    expect(isAccepted({ secure: false, sameSite: 'strict', partitioned: false })).toBe(true);
  });

  test('a format is one of three, and an algorithm one of four, for JWTs alone', () => {
    for (const format of ['', 'Opaque', 'JWT', null, 5, {}]) expect(refusal({ format })).toContain('`cookie.format`');
    for (const algorithm of ['', 'none', 'hs256', 'HS512', 'Ed448', null, 5, {}])
      expect(refusal({ format: 'jwt', keys: [key('a')], algorithm })).toContain('`cookie.algorithm`');
    expect(refusal({ algorithm: 'HS256' })).toContain('`cookie.algorithm`');
    expect(refusal({ format: 'signed', keys: [key('a')], algorithm: 'HS256' })).toContain('`cookie.algorithm`');
    const jwt = resolveCookieOptions({ format: 'jwt', algorithm: 'HS256', keys: [key('a')] });
    expect([jwt.format, jwt.algorithm, jwt.keys.length]).toEqual(['jwt', 'HS256', 1]);
  });
});

describe('keys', () => {
  test('are texts, bytes or secret KeyObjects of at least 32 bytes', () => {
    const raw = randomBytes(32);
    const keys = [key('a'), 'é'.repeat(16), raw, new Uint8Array(64), createSecretKey(raw), 'x'.repeat(1000)];
    const resolved = resolveCookieOptions({ format: 'signed', keys }).keys;
    expect(resolved.map((each) => [each.type, each.symmetricKeySize])).toEqual(
      [32, 32, 32, 64, 32, 1000].map((size) => ['secret', size]),
    );
    expect(resolved[2]?.equals(resolved[4] as KeyObject)).toBe(true);
  });

  test('are refused if short, asymmetric or something else', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const short = ['', 'x'.repeat(31), 'é'.repeat(15), new Uint8Array(31), createSecretKey(randomBytes(31))];
    const other = [
      publicKey,
      privateKey,
      createPublicKey(privateKey),
      null,
      undefined,
      5,
      {},
      [key('a')],
      new ArrayBuffer(32),
    ];
    const odd = [
      new DataView(new ArrayBuffer(32)),
      new Uint16Array(32),
      new Proxy(new Uint8Array(32), {}),
      Symbol('k'),
    ];
    for (const bad of [...short, ...other, ...odd]) {
      expect(refusal({ format: 'signed', keys: [bad] })).toContain('`cookie.keys[0]`');
      expect(refusal({ format: 'signed', keys: [key('a'), bad] })).toContain('`cookie.keys[1]`');
    }
  });

  test('come as an array of 1 to 16, with the format that uses them', () => {
    const many = Array.from({ length: 17 }, (_, index) => key(String.fromCharCode(97 + index)));
    expect(isAccepted({ format: 'signed', keys: many.slice(1) })).toBe(true);
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    for (const keys of [
      undefined,
      null,
      [],
      many,
      key('a'),
      new Set([key('a')]),
      { 0: key('a'), length: 1 },
      revoked.proxy,
      new Uint8Array(32),
    ])
      expect(refusal({ format: 'signed', keys })).toContain('`cookie.keys`');
    for (const keys of [[], [key('a')], null]) expect(refusal({ keys })).toContain('`cookie.keys`');
    expect(refusal({ keys: [key('a')] })).toContain("keys are for 'signed' and 'jwt'");
    const throws = Object.defineProperty([], 0, {
      get: () => {
        throw new Error(key('a'));
      },
    });
    expect(refusal({ format: 'signed', keys: throws })).not.toContain('aa');
  });

  test('are never shown, in no error and no print', () => {
    const secret = 'correct horse battery';
    const detached = new Uint8Array(Buffer.from(secret));
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    for (const options of [
      { format: 'signed', keys: secret },
      { format: 'signed', keys: [secret] },
      { format: 'signed', keys: [Buffer.from(secret)] },
      { format: 'signed', keys: [createSecretKey(Buffer.from(secret))] },
      { format: 'signed', keys: { secret } },
      { format: 'signed', keys: [[secret]] },
      { format: 'signed', keys: [detached] },
      { keys: secret },
      { keys: [secret] },
      {
        format: 'signed',
        get keys() {
          throw new Error(secret);
        },
      },
    ])
      expect(refusal(options)).not.toMatch(/correct|horse|battery|636f72/);
    expect(inspect(resolveCookieOptions({ format: 'signed', keys: [key('s')] }), { depth: 9 })).not.toContain('ss');
  });

  test('are copied: changing them later changes nothing', () => {
    const bytes = new Uint8Array(32).fill(7);
    const shared = new Uint8Array(new SharedArrayBuffer(32)).fill(7);
    const format = signedBy(bytes, shared);
    const before = format.valueOf(token);
    bytes.fill(0);
    shared.fill(0);
    expect(format.valueOf(token)).toBe(before);
    expect(bytes).toEqual(new Uint8Array(32));
    const untouched = Buffer.alloc(32, 9);
    signedBy(untouched);
    expect(untouched).toEqual(Buffer.alloc(32, 9));
  });

  test('travel to other threads, by clone, workerData, environment and message', async () => {
    const options = resolveCookieOptions({ format: 'signed', keys: [key('a'), key('b')] });
    const cookie = createCookieFormat(options).valueOf(token);
    expect(createCookieFormat(structuredClone(options)).tokenOf(cookie)).toBe(token);
    const code = `
      const { parentPort, workerData, getEnvironmentData } = require('node:worker_threads');
      parentPort.once('message', async ({ options, cookie, module }) => {
        const { createCookieFormat } = await import(module);
        const all = [options, workerData.options, getEnvironmentData('cookie options')];
        parentPort.postMessage(all.map((each) => createCookieFormat(each).tokenOf(cookie)));
      });`;
    const { setEnvironmentData } = await import('node:worker_threads');
    setEnvironmentData('cookie options', options);
    const worker = new Worker(code, { eval: true, workerData: { options } });
    setEnvironmentData('cookie options', undefined);
    worker.postMessage({ options, cookie, module: new URL('../../dist/src/cookies/cookies.js', import.meta.url).href });
    const [answer] = await once(worker, 'message');
    await worker.terminate();
    expect(answer).toEqual([token, token, token]);
  });
});
