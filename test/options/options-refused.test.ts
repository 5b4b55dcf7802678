import { describe, expect, test } from 'vitest';
import { resolveOptions, SessionError } from '../support/internals.js';

const resolve = (options?: unknown) => resolveOptions(options, (clock) => clock === manualClock);
const manualClock = { now: () => 0, set() {}, advance() {} };

function refusal(options: unknown): string {
  try {
    resolve(options);
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    const { code, outcome, message } = error as SessionError;
    expect([code, outcome]).toEqual(['ERR_INVALID_OPTION', 'not-applied']);
    return message;
  }
  throw new Error('was accepted');
}

describe('hostile options', () => {
  const boom = () => {
    throw new Error('boom');
  };
  const thrower = new Proxy({}, { get: boom, ownKeys: boom, getPrototypeOf: boom, getOwnPropertyDescriptor: boom });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  class Options {
    idleTimeout = '1h';
  }

  test('are refused, whatever they are', () => {
    const inherited = Object.create({ idleTimeout: '1h' });
    const others = [
      null,
      5,
      'idleTimeout',
      5n,
      Symbol('x'),
      true,
      [],
      [{}],
      () => ({}),
      new Options(),
      new Map(),
      inherited,
    ];
    for (const options of [...others, thrower, revoked.proxy]) {
      expect(refusal(options)).toContain('`options`');
      expect(refusal({ cookie: options })).toContain('`cookie`');
      expect(refusal({ resourceLimits: options })).toContain('`resourceLimits`');
    }
  });

  test('every option may be a getter or proxy that throws', () => {
    for (const name of [...Object.keys(resolve()), 'store', 'hooks']) {
      expect(refusal(Object.defineProperty({}, name, { get: boom }))).toContain(`\`${name}\``);
      expect(refusal({ [name]: thrower })).toContain(`\`${name}\``);
      expect(refusal({ [name]: revoked.proxy })).toContain(`\`${name}\``);
    }
    expect(() => resolveOptions({ clock: {} }, boom)).toThrow(SessionError);
  });

  test('a getter is read once, so that what was checked is what is used', () => {
    let reads = 0;
    const options = {
      get maxSessions() {
        return ++reads === 1 ? 7 : 'x';
      },
    };
    expect(resolve(options).maxSessions).toBe(7);
    expect(reads).toBe(1);
  });

  test('a working proxy, an object without prototype and one of another realm are options like any other', async () => {
    const { runInNewContext } = await import('node:vm');
    const options = { maxSessions: 7 };
    for (const value of [
      new Proxy(options, {}),
      Object.assign(Object.create(null), options),
      runInNewContext('({ maxSessions: 7 })'),
    ])
      expect(resolve(value).maxSessions).toBe(7);
  });

  test('unknown names are refused at every level, whatever they hold', () => {
    for (const name of ['idleTimout', 'ttl', 'toString', 'constructor', '', 'x'.repeat(1e6)]) {
      for (const value of [1, undefined]) {
        expect(refusal({ [name]: value })).toMatch(/^Unknown option `/);
        expect(refusal({ cookie: { [name]: value } })).toMatch(/^Unknown option `cookie\./);
        expect(refusal({ resourceLimits: { [name]: value } })).toMatch(/^Unknown option `resourceLimits\./);
      }
      expect(refusal({ [name]: 1 }).length).toBeLessThan(100);
    }
    expect(refusal({ [Symbol('name')]: 1 })).toBe('Unknown option `Symbol(name)`');
    expect(refusal(JSON.parse('{"__proto__":{"name":"x"}}'))).toBe('Unknown option `__proto__`');
    expect(refusal(Object.defineProperty({}, 'hidden', { value: 1 }))).toBe('Unknown option `hidden`');
  });
});

test('errors say what was expected and what came', () => {
  const texts: [options: unknown, text: string][] = [
    [{ idleTimeout: -1 }, 'Expected `idleTimeout` to be a positive duration or false, got `-1` (number)'],
    [
      { idleTimeout: '0.1ms' },
      'Expected `idleTimeout` to be a duration of at least 1 ms or false, got "0.1ms" (string)',
    ],
    [
      { idleTimeout: '40000d' },
      'Expected `idleTimeout` to be a duration of at most 100 years or false, got "40000d" (string)',
    ],
    [{ callTimeout: false }, 'Expected `callTimeout` to be a positive duration, got `false` (boolean)'],
    [{ callTimeout: '25d' }, 'Expected `callTimeout` to be a duration of at most 2147483647 ms, got "25d" (string)'],
    [{ idleTimout: '30m' }, 'Unknown option `idleTimout`, did you mean `idleTimeout`?'],
    [{ IdleTimeout: '30m' }, 'Unknown option `IdleTimeout`, did you mean `idleTimeout`?'],
    [{ ttl: '30m' }, 'Unknown option `ttl`'],
    [{ 'a\r\nb': 1 }, 'Unknown option `a\\r\\nb`'],
    [{ cookie: { samesite: 'lax' } }, 'Unknown option `cookie.samesite`, did you mean `cookie.sameSite`?'],
    [{ maxSessions: 0 }, 'Expected `maxSessions` to be an integer from 1 to 16000000, got `0` (number)'],
    [
      { maxBytes: 2048, maxSessionBytes: 4096 },
      'Expected `maxSessionBytes` to be no more than `maxBytes`, which is 2048, got `4096` (number)',
    ],
    [{ whenFull: 'x' }, "Expected `whenFull` to be 'reject' or 'end-longest-idle', got \"x\" (string)"],
    [
      { hooks: './h.js' },
      'Expected `hooks` to be left out (it is not supported yet by this version), got "./h.js" (string)',
    ],
    [
      { store: 'redis://:pw@h' },
      "Expected `store` to be 'memory' (no other is supported yet by this version), got another string",
    ],
    [
      { cookie: { format: 'jws' } },
      "Expected `cookie.format` to be 'opaque' or 'signed' or 'jwt', got \"jws\" (string)",
    ],
    ['default', 'Expected `options` to be a plain object, got "default" (string)'],
    [[], 'Expected `options` to be a plain object, got an array'],
  ];
  for (const [options, text] of texts) expect(refusal(options)).toBe(text);
});
