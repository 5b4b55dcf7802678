import { describe, expect, test } from 'vitest';
import {
  checkConnectOptions,
  checkFilter,
  checkGrace,
  checkRotateOptions,
  checkUserId,
  resolveNewSession,
  SessionError,
} from '../support/internals.js';

const times = { idleTimeout: 1000, absoluteTimeout: 2000 };
const boom = () => {
  throw new Error('boom');
};
const thrower = new Proxy({}, { get: boom, ownKeys: boom, getPrototypeOf: boom });
const notObjects = [null, 5, 'x', 5n, true, Symbol('x'), [], () => ({})];

function refusal(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(SessionError);
    expect((error as SessionError).code).toBe('ERR_INVALID_OPTION');
    return (error as SessionError).message;
  }
  throw new Error('was accepted');
}

describe('newSession', () => {
  const newSession = (init?: unknown) => resolveNewSession(init, times);
  const refused = (init: unknown) => refusal(() => newSession(init));

  test("takes the manager's timeouts where it is given none", () => {
    const empty = { data: undefined, userId: undefined, ...times, client: {}, linked: false };
    expect(newSession()).toEqual(empty);
    expect(newSession({})).toEqual(empty);
    const absent = { data: undefined, userId: undefined, idleTimeout: undefined, client: undefined, linked: undefined };
    expect(newSession(absent)).toEqual(empty);
  });

  test('takes what it is given, and leaves the data alone', () => {
    const data = new Proxy({}, { get: boom });
    const client = { ip: '::1', userAgent: 'x', label: '' };
    const init = { data, userId: 'alice', idleTimeout: '1m', absoluteTimeout: false, client, linked: true };
    const resolved = newSession(init);
    expect(resolved).toMatchObject({
      userId: 'alice',
      idleTimeout: 60_000,
      absoluteTimeout: Infinity,
      client,
      linked: true,
    });
    expect(resolved.data).toBe(data);
    expect(resolved.client).not.toBe(client);
  });

  test('refuses unknown names, wrong types and objects that throw', () => {
    expect(refused({ userID: 'x' })).toBe('Unknown option `userID`, did you mean `userId`?');
    expect(refused({ ttl: undefined })).toBe('Unknown option `ttl`');
    expect(refused({ client: { userAgent: 'x', IP: 'y' } })).toBe(
      'Unknown option `client.IP`, did you mean `client.ip`?',
    );
    for (const init of [...notObjects, thrower]) expect(refused(init)).toContain('`init`');
    for (const client of notObjects) expect(refused({ client })).toContain('`client`');
    expect(
      refused({
        get userId() {
          return boom();
        },
      }),
    ).toContain('`init`');
    expect(refused({ client: thrower })).toContain('`init`');
    for (const linked of [null, 0, 1, 'true', {}]) expect(refused({ linked })).toContain('`linked`');
    for (const timeout of [null, 0, -1, NaN, Infinity, true, '0s', '1w', '36526d', {}, 1e300]) {
      expect(refused({ idleTimeout: timeout })).toContain('`idleTimeout`');
      expect(refused({ absoluteTimeout: timeout })).toContain('`absoluteTimeout`');
    }
    for (const text of [null, 5, {}, ['x'], new String('x')])
      for (const name of ['ip', 'userAgent', 'label'])
        expect(refused({ client: { [name]: text } })).toContain(`\`client.${name}\``);
  });

  test('takes nothing from a polluted prototype', () => {
    Object.defineProperty(Object.prototype, 'userId', {
      value: 'admin',
      writable: true,
      configurable: true,
      enumerable: true,
    });
    try {
      expect(newSession({ data: {} }).userId).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, 'userId');
    }
  });

  test('cuts texts about the client to 256 bytes, between characters', () => {
    const cut = (label: string) => newSession({ client: { label } }).client.label ?? 'none';
    expect(cut('x'.repeat(256))).toBe('x'.repeat(256));
    expect(cut('x'.repeat(1e6))).toBe('x'.repeat(256));
    expect(cut('é'.repeat(200))).toBe('é'.repeat(128));
    expect(cut(`x${'é'.repeat(200)}`)).toBe(`x${'é'.repeat(127)}`);
    expect(cut('€'.repeat(200))).toBe('€'.repeat(85));
    expect(cut('😀'.repeat(200))).toBe('😀'.repeat(64));
    expect(cut(`xx${'😀'.repeat(200)}`)).toBe(`xx${'😀'.repeat(63)}`);
    expect(cut('\0\r\n')).toBe('\0\r\n');
    for (let length = 80; length < 300; length++)
      for (const letter of ['x', 'é', '€', '😀', '\ud83d', '\ude00'])
        expect(Buffer.byteLength(cut(letter.repeat(length)))).toBeLessThanOrEqual(256);
  });

  test('replaces half characters in texts about the client', () => {
    const label = (text: string) => newSession({ client: { label: text } }).client.label;
    expect(label('a\ud83db')).toBe('a\ufffdb');
    expect(label('\ude00\ud83d')).toBe('\ufffd\ufffd');
    expect(label(`${'x'.repeat(255)}\ud83d`)).toBe('x'.repeat(255));
    expect(label(`${'x'.repeat(253)}\ud83d\ud83d`)).toBe(`${'x'.repeat(253)}\ufffd`);
  });
});

describe('user ids', () => {
  test('are texts of 1 to 256 bytes', () => {
    for (const id of ['a', 'x'.repeat(256), 'é'.repeat(128), '😀'.repeat(64), '__proto__', '\0'])
      expect(checkUserId(id)).toBe(id);
    for (const id of ['', 'x'.repeat(257), `x${'é'.repeat(128)}`, '😀'.repeat(65), '€'.repeat(86), 'x'.repeat(1e6)])
      expect(refusal(() => checkUserId(id))).toContain('`userId`');
  });

  test('have no half characters, which would make two users one', () => {
    for (const id of ['\ud83d', 'x\ude00', '\ude00\ud83d'])
      expect(refusal(() => checkUserId(id))).toContain('`userId`');
  });

  test('are nothing else', () => {
    for (const id of [undefined, null, 5, 5n, {}, ['x'], new String('x'), thrower, Symbol('x')])
      expect(refusal(() => checkUserId(id, 'who'))).toContain('`who`');
  });

  test('are not shown where they are refused', () => {
    expect(refusal(() => checkUserId(`alice\ud83d`))).not.toContain('alice');
    expect(refusal(() => checkUserId(`alice${'x'.repeat(300)}`))).not.toContain('alice');
  });
});

describe('filters', () => {
  const check = (filter?: unknown) => checkFilter(filter, (value) => `id of ${value}`);
  const refused = (filter: unknown) => refusal(() => check(filter));

  test('may say nothing', () => {
    expect(check()).toEqual({});
    expect(check({})).toEqual({});
  });

  test('say what they pick', () => {
    const filter = { userId: 'alice', except: 'x', createdBefore: new Date(5), limit: 0 };
    expect(check(filter)).toEqual({ userId: 'alice', except: 'id of x', createdBefore: 5, limit: 0 });
    expect(check({ limit: 7 })).toEqual({ limit: 7 });
  });

  test('never mean everybody by a key that is present but undefined', () => {
    for (const name of ['userId', 'except', 'createdBefore', 'limit'])
      for (const value of [undefined, null])
        if (name !== 'except' || value === undefined) expect(refused({ [name]: value })).toContain(`\`${name}\``);
  });

  test('are refused with unknown names and wrong values', () => {
    expect(refused({ userID: 'x' })).toBe('Unknown option `userID`, did you mean `userId`?');
    expect(refused({ user: undefined })).toMatch(/^Unknown option `user`/);
    for (const filter of [...notObjects, thrower, new Date(), new Map()]) expect(refused(filter)).toContain('`filter`');
    for (const limit of [-1, 0.5, NaN, Infinity, '5', 5n, 2 ** 53]) expect(refused({ limit })).toContain('`limit`');
    const fakeDate = Object.create(Date.prototype);
    for (const createdBefore of [new Date(NaN), 5, '2020-01-01', {}, fakeDate, thrower])
      expect(refused({ createdBefore })).toContain('`createdBefore`');
    for (const userId of ['', 5, 'x'.repeat(257)]) expect(refused({ userId })).toContain('`userId`');
    expect(refusal(() => checkFilter({ except: 5 }, boom))).toContain('`except`');
    const own = new SessionError('ERR_INVALID_OPTION', 'no id');
    expect(
      refusal(() =>
        checkFilter({ except: 5 }, () => {
          throw own;
        }),
      ),
    ).toBe('no id');
  });
});

test('a grace is a duration from 0 to 100 years, ten seconds by default', () => {
  expect([checkGrace(undefined), checkGrace(0), checkGrace('0s'), checkGrace('1m')]).toEqual([10_000, 0, 0, 60_000]);
  expect([checkRotateOptions(undefined), checkRotateOptions({}), checkRotateOptions({ grace: 5 })]).toEqual([
    10_000, 10_000, 5,
  ]);
  for (const grace of [-1, -0.1, NaN, Infinity, false, null, '5', '36526d', {}])
    expect(refusal(() => checkGrace(grace))).toContain('`grace`');
  expect(refusal(() => checkRotateOptions({ graze: 5 }))).toBe('Unknown option `graze`, did you mean `grace`?');
  for (const options of [...notObjects, thrower])
    expect(refusal(() => checkRotateOptions(options))).toContain('`options`');
});

test('a joining thread brings a schema and nothing else', () => {
  const schema = { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: {} }) } };
  expect(checkConnectOptions(undefined)).toEqual({ schema: undefined });
  expect(checkConnectOptions({ schema: undefined })).toEqual({ schema: undefined });
  expect(checkConnectOptions({ schema }).schema).toBe(schema);
  expect(refusal(() => checkConnectOptions({ shema: schema }))).toBe('Unknown option `shema`, did you mean `schema`?');
  expect(refusal(() => checkConnectOptions({ idleTimeout: 5 }))).toBe('Unknown option `idleTimeout`');
  for (const value of [null, 5, {}, thrower])
    expect(refusal(() => checkConnectOptions({ schema: value }))).toContain('`schema`');
  for (const options of [...notObjects, thrower])
    expect(refusal(() => checkConnectOptions(options))).toContain('`options`');
});
