import { totalmem } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { defaults, resolveOptions, SessionError } from '../support/internals.js';

const CENTURY = 36_525 * 86_400_000;
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

describe('defaults', () => {
  test('hold where nothing is said', () => {
    expect(resolve()).toEqual({
      name: 'default',
      idleTimeout: 30 * 60_000,
      absoluteTimeout: 8 * 3_600_000,
      maxSessions: 1_000_000,
      maxBytes: Math.min(2 ** 30, Math.floor(totalmem() / 4)),
      maxSessionBytes: 65_536,
      whenFull: 'reject',
      maxSessionsPerUser: Infinity,
      whenOverLimit: 'end-oldest',
      cookie: {
        name: '__Host-id',
        format: 'opaque',
        keys: [],
        secure: true,
        sameSite: 'lax',
        path: '/',
        domain: undefined,
        partitioned: false,
        persistent: true,
      },
      sweep: '* * * * * *',
      callTimeout: 5000,
      restarts: { most: 5, within: 10_000 },
      resourceLimits: { maxYoungGenerationSizeMb: 24 },
      schema: undefined,
      worker: undefined,
      rotation: undefined,
      whenReused: 'report',
      clock: undefined,
    });
  });

  test('hold where an option is present but undefined', () => {
    const absent = Object.fromEntries([...Object.keys(resolve()), 'store', 'hooks'].map((name) => [name, undefined]));
    const cookie = Object.fromEntries([...Object.keys(resolve().cookie), 'algorithm'].map((name) => [name, undefined]));
    expect(resolve(absent)).toEqual(resolve());
    expect(resolve({ cookie })).toEqual(resolve());
    expect(resolve({})).toEqual(resolve());
  });

  test('hold under a polluted prototype', () => {
    const polluted: Record<string, unknown> = {
      maxSessions: 1,
      cookie: { secure: false },
      idleTimeout: 'x',
      isStrange: 1,
    };
    for (const name in polluted)
      Object.defineProperty(Object.prototype, name, {
        value: polluted[name],
        writable: true,
        configurable: true,
        enumerable: true,
      });
    try {
      expect(resolve({}).maxSessions).toBe(1_000_000);
      expect(resolve({}).cookie.secure).toBe(true);
    } finally {
      for (const name in polluted) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  test('`maxSessionBytes` follows a small `maxBytes`', () => {
    expect(resolve({ maxBytes: 4096 }).maxSessionBytes).toBe(4096);
    expect(resolve({ maxBytes: 65_536 }).maxSessionBytes).toBe(65_536);
    expect(resolve({ maxBytes: 2 ** 36 }).maxSessionBytes).toBe(65_536);
    expect(defaults.maxSessionBytes).toBe(65_536);
  });
});

describe('what is allowed is taken, and what is next to it is refused', () => {
  const file = new URL('file:///x/main.js');
  const schema = { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: {} }) } };
  const functionSchema = Object.assign(() => 0, schema);
  const alien = [null, true, -1, NaN, '', 5n, Symbol('x'), [], {}, new Date(), () => 0];
  const limits = (name: string, least: number, most: number): [string, unknown[], unknown[]] => [
    name,
    [least, most],
    [least - 1, most + 1, least + 0.5, Infinity, -Infinity, String(least), BigInt(least), 2 ** 53],
  ];
  const timeouts = {
    good: [1, '1ms', CENTURY, '36525d', 0.5, '30m'],
    bad: [
      true,
      0,
      -0,
      '0s',
      0.4,
      '0.4ms',
      CENTURY + 1,
      '36526d',
      Infinity,
      '30 m',
      'never',
      1e300,
      Number.MAX_SAFE_INTEGER,
    ],
  };
  const table: [name: string, good: unknown[], bad: unknown[]][] = [
    ['name', ['a', '__proto__', 'x'.repeat(64)], ['x'.repeat(65), 1]],
    ['policy', ['asvs-l1', 'asvs-l2', 'nist-aal1', 'nist-aal2', 'nist-aal3'], ['asvs-l3', 'ASVS-L1', 'asvs']],
    ['idleTimeout', [...timeouts.good, false], timeouts.bad],
    ['absoluteTimeout', [...timeouts.good, false], timeouts.bad],
    ['callTimeout', [1, '5s', 2 ** 31 - 1, '24d'], [false, 0, '0s', 2 ** 31, '25d', Infinity]],
    limits('maxSessions', 1, 16_000_000),
    limits('maxBytes', 1024, 2 ** 36),
    limits('maxSessionBytes', 1, 2 ** 24),
    ['maxSessionsPerUser', [1, 5, Infinity, Number.MAX_SAFE_INTEGER], [0, 2 ** 53, -Infinity, '5']],
    ['whenFull', ['reject', 'end-longest-idle'], ['end-oldest', 'Reject']],
    ['whenOverLimit', ['reject', 'end-oldest'], ['end-longest-idle']],
    [
      'sweep',
      ['* * * * *', '*/5 * * * * *', '@daily', '0 0 * jan mon'],
      ['60 * * * *', '* * * *', '0 0 30 2 *', '1-2000000000 * * * *', '* '.repeat(1e6), `${'1,'.repeat(99)}1 * * * *`],
    ],
    [
      'worker',
      [file],
      ['file:///x', new URL('https://x/main.js'), new URL('data:text/javascript,0'), { protocol: 'file:' }],
    ],
    ['clock', [manualClock], [{ ...manualClock }]],
    [
      'schema',
      [schema, functionSchema],
      [{ '~standard': null }, { '~standard': { version: 2, validate() {} } }, { '~standard': { version: 1 } }],
    ],
    ['resourceLimits', [{}, { stackSizeMb: 4 }, { maxOldGenerationSizeMb: 64.5 }, { stackSizeMb: undefined }], []],
    ['cookie', [{}], []],
    ['store', ['memory'], [{ type: 'lmdb', path: '/x' }, { type: 'redis', url: 'redis://x' }, 'lmdb', 'Memory']],
    ['hooks', [], [new URL('file:///x'), './hooks.js']],
    [
      'rotation',
      [{ every: '1h' }, { every: '10m', grace: '10m' }, { every: '1m', grace: undefined }],
      [{}, { every: false }, { every: 0 }, { every: '1h', grace: 0 }, { every: '30s' }, { every: '1m', grace: '2m' }],
    ],
    ['whenReused', ['report', 'end-session'], ['end', 'close', true]],
    [
      'restarts',
      [
        { most: 5, within: '10s' },
        { most: 0, within: 1 },
      ],
      [{ most: 5 }, { within: '10s' }, { most: -1, within: 1 }, { most: 1.5, within: 1 }, { most: 1, within: false }],
    ],
  ];

  test('the table here names every option', () => {
    const names = [...Object.keys(resolve()), 'store', 'hooks'];
    expect(table.map(([name]) => name).sort()).toEqual(names.sort());
  });

  describe.each(table)('%s', (name, good, bad) => {
    test('takes', () => {
      for (const value of good) expect(() => resolve({ [name]: value })).not.toThrow();
    });

    test('refuses, by name', () => {
      const fits = (value: unknown) => good.some((each) => isDeepStrictEqual(each, value));
      for (const value of [...alien.filter((each) => !fits(each)), ...bad])
        expect(refusal({ [name]: value })).toMatch(new RegExp(`\`${name}[\`.]`));
    });
  });

  test('values are resolved to numbers and copies', () => {
    const options = resolve({
      idleTimeout: false,
      absoluteTimeout: '14d',
      callTimeout: 1.5,
      worker: file,
      schema,
      clock: manualClock,
    });
    expect(options).toMatchObject({ idleTimeout: Infinity, absoluteTimeout: 14 * 86_400_000, callTimeout: 2 });
    expect(options.worker).not.toBe(file);
    expect(options.worker?.href).toBe(file.href);
    expect(options.schema).toBe(schema);
    expect(options.clock).toBe(manualClock);
    expect(resolve({ resourceLimits: { stackSizeMb: 4, codeRangeSizeMb: undefined } }).resourceLimits).toEqual({
      maxYoungGenerationSizeMb: 24,
      stackSizeMb: 4,
    });
  });

  test('limits of V8 that would end the process rather than the thread are refused', () => {
    for (const name of ['maxYoungGenerationSizeMb', 'maxOldGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb'])
      for (const value of [0, -1, 0.5, 1e9, NaN, Infinity, '4', null])
        expect(refusal({ resourceLimits: { [name]: value } })).toContain(`\`resourceLimits.${name}\``);
  });

  test('one session may not be larger than all together', () => {
    expect(resolve({ maxBytes: 2048, maxSessionBytes: 2048 }).maxSessionBytes).toBe(2048);
    expect(refusal({ maxBytes: 2048, maxSessionBytes: 2049 })).toContain('`maxSessionBytes`');
  });
});
