import { createHmac } from 'node:crypto';
import { parseSetCookie } from 'cookie';
import { describe, expect, test } from 'vitest';
import {
  clearCookie,
  cookieData,
  createCookieFormat,
  resolveCookieOptions,
  type SessionError,
} from '../support/internals.js';

const token = Buffer.alloc(32, 0xa5).toString('base64url');
const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const key = (letter: string) => letter.repeat(32);

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

const rubbish = [
  '',
  '.',
  'x',
  'x'.repeat(42),
  'x'.repeat(44),
  'x'.repeat(86),
  'x'.repeat(87),
  'x'.repeat(88),
  'x'.repeat(1e6),
];
const strange = [
  `${'x'.repeat(43)}.${'x'.repeat(43)}`,
  '\ud83d'.repeat(87),
  `${'\ud83d'.repeat(43)}.${'\ude00'.repeat(43)}`,
  '\0'.repeat(87),
];

describe('opaque cookies', () => {
  const format = createCookieFormat(resolveCookieOptions({}));

  test('are the token', () => {
    expect(format.valueOf(token)).toBe(token);
    expect(format.tokenOf(token)).toBe(token);
  });

  test('of another length are none', () => {
    for (const cookie of [...rubbish, ...strange, `${token}=`, ` ${token}`])
      expect(format.tokenOf(cookie)).toBeUndefined();
  });
});

describe('signed cookies', () => {
  const format = signedBy(key('a'));
  const cookie = format.valueOf(token);

  test('are the token and an HMAC-SHA-256 of it under a purpose label', () => {
    const mac = createHmac('sha256', key('a')).update(`coatcheck cookie v1\0${token}`).digest('base64url');
    expect(cookie).toBe(`${token}.${mac}`);
    expect(format.tokenOf(cookie)).toBe(token);
    const unlabelled = createHmac('sha256', key('a')).update(token).digest('base64url');
    expect(format.tokenOf(`${token}.${unlabelled}`)).toBeUndefined();
  });

  test('with any one byte changed are none', () => {
    for (let at = 0; at < cookie.length; at++)
      for (const byte of [
        ...bytes,
        String.fromCharCode(cookie.charCodeAt(at) + 0x100),
        String.fromCharCode(cookie.charCodeAt(at) + 0xff00),
      ])
        if (byte !== cookie[at])
          expect(format.tokenOf(cookie.slice(0, at) + byte + cookie.slice(at + 1))).toBeUndefined();
  });

  test('have one spelling: other base64 of the same MAC is none', () => {
    const mac = cookie.slice(44);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const same = [...alphabet].filter((last) =>
      Buffer.from(mac.slice(0, -1) + last, 'base64url').equals(Buffer.from(mac, 'base64url')),
    );
    expect(same).toHaveLength(4);
    for (const last of same)
      expect(format.tokenOf(cookie.slice(0, -1) + last)).toBe(last === cookie.at(-1) ? token : undefined);
    const standard = Buffer.from(mac, 'base64url').toString('base64');
    const hex = Buffer.from(mac, 'base64url').toString('hex');
    const others = [
      `${cookie}=`,
      `${token}.${standard}`,
      `${token}.${hex}`,
      ` ${cookie}`,
      `${cookie} `,
      `"${cookie}"`,
      `${cookie}\n`,
    ];
    for (const other of [...others, token, `${token}.`, `.${mac}`, `${mac}.${token}`, cookie + cookie])
      expect(format.tokenOf(other)).toBeUndefined();
  });

  test('that are rubbish are none, and nothing throws', () => {
    for (const other of [...rubbish, ...strange]) expect(format.tokenOf(other)).toBeUndefined();
  });

  test('survive the rotation of keys: the first signs, all verify', () => {
    const rotating = signedBy(key('b'), key('a'));
    const renewed = signedBy(key('b'));
    expect(rotating.tokenOf(cookie)).toBe(token);
    expect(rotating.valueOf(token)).toBe(renewed.valueOf(token));
    expect(renewed.tokenOf(cookie)).toBeUndefined();
    const sixteen = Array.from({ length: 16 }, (_, index) => key(String.fromCharCode(97 + index)));
    for (const each of sixteen) expect(signedBy(...sixteen).tokenOf(signedBy(each).valueOf(token))).toBe(token);
    expect(signedBy(...sixteen).tokenOf(signedBy(key('z')).valueOf(token))).toBeUndefined();
  });

  test('need a key', () => {
    expect(() => createCookieFormat({ format: 'signed', keys: [] })).toThrow(TypeError);
  });
});

describe('Set-Cookie', () => {
  const set = (options: unknown, maxAge?: number, value = token) =>
    cookieData(resolveCookieOptions(options), value, maxAge);

  test('is complete, and HttpOnly always', () => {
    expect(String(set({}, 60))).toBe(`__Host-id=${token}; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax`);
    expect(String(set({ secure: false }))).toBe(`id=${token}; Path=/; HttpOnly; SameSite=Lax`);
    const all = { name: '__Secure-s', domain: 'example.com', path: '/app', sameSite: 'none', partitioned: true };
    expect(`${set(all, 1)}`).toBe(
      `__Secure-s=${token}; Max-Age=1; Domain=example.com; Path=/app; HttpOnly; Secure; Partitioned; SameSite=None`,
    );
    expect(String(set({ sameSite: 'strict' }))).toContain('; SameSite=Strict');
  });

  test('says its parts', () => {
    const { name, value, maxAge } = set({ name: 'sid' }, 60);
    expect({ name, value, maxAge }).toEqual({ name: 'sid', value: token, maxAge: 60 });
  });

  test('has a Max-Age in whole seconds, unless the cookie ends with the browser', () => {
    const ages = [0, 0.001, 59.5, 60, -5, 36_525 * 86_400].map((maxAge) => set({}, maxAge).maxAge);
    expect(ages).toEqual([0, 1, 60, 60, 0, 3_155_760_000]);
    for (const data of [set({}), set({}, Infinity), set({}, NaN), set({ persistent: false }, 60)]) {
      expect(data.maxAge).toBeUndefined();
      expect(String(data)).not.toMatch(/Max-Age|Expires/i);
    }
  });

  test('of a signed cookie stands as it is', () => {
    const options = resolveCookieOptions({ format: 'signed', keys: [key('a')] });
    const value = createCookieFormat(options).valueOf(token);
    expect(parseSetCookie(String(cookieData(options, value, 5)), { decode: (text) => text }).value).toBe(value);
  });

  test('that clears names the same cookie, empty and over, even where the cookie is not persistent', () => {
    for (const options of [
      {},
      { secure: false },
      { persistent: false },
      { name: 'sid', path: '/app', domain: 'example.com', sameSite: 'none', partitioned: true },
    ]) {
      const cleared = clearCookie(resolveCookieOptions(options));
      expect([cleared.value, cleared.maxAge]).toEqual(['', 0]);
      const { value: _value, ...same } = parseSetCookie(String(set({ ...options, persistent: true }, 5)));
      expect(parseSetCookie(String(cleared))).toEqual({ ...same, value: '', maxAge: 0 });
    }
  });

  test('is never broken out of: every byte in every field is refused or harmless', () => {
    const octets = '[!#-+\\--:<-\\[\\]-~]';
    const attribute =
      '; (?:Max-Age=\\d+|Domain=[A-Za-z0-9.-]+|Path=/[!-:=-~]*|HttpOnly|Secure|Partitioned|SameSite=(?:Lax|Strict|None))';
    const whole = new RegExp(`^[!#$%&'*+.^_\`|~0-9A-Za-z-]+=${octets}*(?:${attribute})+$`);
    const fields = ['name', 'path', 'domain', 'sameSite', 'secure', 'partitioned', 'persistent', 'format'];
    let made = 0;
    for (const byte of [...bytes, '\u2028', '\u0100\u010a\u010d\u013b', '\ud83d', '😀'])
      for (const field of fields)
        for (const text of [
          byte,
          `a${byte}b`,
          `a.${byte}b`,
          `/${byte}`,
          `/a${byte}; Domain=evil.example`,
          `a${byte}\r\nSet-Cookie: x=y`,
        ]) {
          const options = { name: 'id', [field]: text };
          if (!isAccepted(options)) continue;
          made++;
          for (const data of [set(options, 5), clearCookie(resolveCookieOptions(options))])
            expect(String(data)).toMatch(whole);
        }
    expect(made).toBeGreaterThan(350);
    for (const byte of bytes) expect(String(set({}, 5, `a${byte}b`))).toMatch(whole);
  });
});
