/** JWTs as the cookies of sessions, through a manager and its threads: the table is the truth, whatever a JWT says. */

import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { forge, pairFor, verifiedBy } from '../support/jwt.js';
import { Thread } from '../support/threads.js';

// Before fast-jwt is loaded, which is when the first manager starts: how often a signature is checked.
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

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);
const pair = pairFor('EdDSA');
const header = { alg: 'EdDSA', typ: 'coatcheck+jwt' };
const started: SessionManager[] = [];

async function start(options: ManagerOptions = {}, at = START) {
  const clock = createManualClock(at);
  const cookie = { format: 'jwt', keys: [pair.signs] } as const;
  const sessions = await startSessionManager({ clock, cookie, maxSessions: 100, ...options });
  started.push(sessions);
  return { sessions, clock };
}

afterEach(async () => {
  for (const sessions of started.splice(0)) await sessions.stop();
});

test('a session’s cookie is a JWT that others can check, by the manager’s clock', async () => {
  for (const at of [0, START, Date.UTC(2126, 0, 1)]) {
    const { sessions, clock } = await start({}, at);
    const session = await sessions.newSession({ userId: 'ada' });
    const { value, maxAge } = sessions.getCookieData(session);
    expect(verifiedBy('EdDSA', pair.verifies, value)).toEqual({
      token: expect.stringMatching(/^[\w-]{43}$/),
      iat: at / 1000,
      exp: at / 1000 + 8 * 3600,
    });
    expect(maxAge).toBe(1800);
    expect(sessions.getSession(value)).toBe(session);
    clock.advance('30m');
    expect(sessions.getSession(value)).toBeUndefined();
    await sessions.stop();
  }
});

test('the cookie that was made first is good for as long as the session is used, up to its absolute end', async () => {
  const { sessions, clock } = await start();
  const session = await sessions.newSession();
  const { value } = sessions.getCookieData(session);
  for (let passed = 0; passed < 8 * 60 - 20; passed += 20) {
    clock.advance(20 * MINUTE);
    expect(sessions.getSession(value)).toBe(session);
    expect(sessions.getCookieData(session).value).toBe(value);
  }
  clock.advance(20 * MINUTE - 1);
  expect(sessions.getSession(value)).toBe(session);
  clock.advance(1);
  expect([session.alive, sessions.getSession(value)]).toEqual([false, undefined]);
});

test('the table is the truth: no `exp` keeps a session alive that has ended', async () => {
  const { sessions, clock } = await start();
  const closed = await sessions.newSession();
  const { value: ofClosed } = sessions.getCookieData(closed);
  await closed.close();
  expect(sessions.getSession(ofClosed)).toBeUndefined();

  const idle = await sessions.newSession({ idleTimeout: '5m' });
  const { token } = verifiedBy('EdDSA', pair.verifies, sessions.getCookieData(idle).value);
  const long = forge('EdDSA', pair.signs, header, { token, iat: START / 1000, exp: START / 1000 + 1e6 });
  expect(sessions.getSession(long)).toBe(idle);
  clock.advance('5m');
  expect(sessions.getSession(long)).toBeUndefined();

  const nobody = forge('EdDSA', pair.signs, header, { token: 'x'.repeat(43), iat: 1, exp: START / 1000 + 1e6 });
  expect(sessions.getSession(nobody)).toBeUndefined();
});

test('an `exp` that passes ends the cookie, also one that was looked up before, and not the session', async () => {
  const { sessions, clock } = await start();
  const session = await sessions.newSession();
  const { value } = sessions.getCookieData(session);
  const { token } = verifiedBy('EdDSA', pair.verifies, value);
  const short = forge('EdDSA', pair.signs, header, { token, iat: START / 1000, exp: START / 1000 + 60 });
  expect(sessions.getSession(short)).toBe(session);
  clock.advance(MINUTE + 4999);
  expect(sessions.getSession(short)).toBe(session);
  clock.advance(1);
  expect([sessions.getSession(short), sessions.getSession(value)]).toEqual([undefined, session]);
});

test('a session that no age ends has a cookie that says no end', async () => {
  const { sessions, clock } = await start({ absoluteTimeout: false });
  const session = await sessions.newSession({ idleTimeout: false });
  const { value, maxAge } = sessions.getCookieData(session);
  expect(verifiedBy('EdDSA', pair.verifies, value)).not.toHaveProperty('exp');
  expect(maxAge).toBeUndefined();
  clock.advance('36525d');
  expect(sessions.getSession(value)).toBe(session);
});

test('a login makes a new cookie with a new end, and the old one is none', async () => {
  const { sessions, clock } = await start();
  const session = await sessions.newSession();
  const { value: before } = sessions.getCookieData(session);
  expect(sessions.getSession(before)).toBe(session);
  clock.advance('10m');
  await session.login('ada');
  const { value: after } = sessions.getCookieData(session);
  expect([sessions.getSession(before), sessions.getSession(after)]).toEqual([undefined, session]);
  expect(verifiedBy('EdDSA', pair.verifies, after)).toMatchObject({
    iat: START / 1000 + 600,
    exp: START / 1000 + 600 + 8 * 3600,
  });
});

test('a rotated cookie is good for the grace, and leads to the new one', async () => {
  const { sessions, clock } = await start();
  const session = await sessions.newSession();
  const { value: before } = sessions.getCookieData(session);
  await session.rotate({ grace: '10s' });
  const { value: after } = sessions.getCookieData(session);
  expect([sessions.getSession(before), sessions.getSession(after)]).toEqual([session, session]);
  clock.advance('10s');
  expect([sessions.getSession(before), sessions.getSession(after)]).toEqual([undefined, session]);
});

test('a repeated lookup checks no signature again, and a session that has ended is missed all the same', async () => {
  const { sessions } = await start();
  const session = await sessions.newSession();
  const { value } = sessions.getCookieData(session);
  const before = checks;
  for (let i = 0; i < 100; i++) expect(sessions.getSession(value)).toBe(session);
  expect(checks).toBe(before + 1);
  await session.close();
  expect(sessions.getSession(value)).toBeUndefined();
});

test('every kind of forgery is an unknown cookie: undefined, and nothing throws', async () => {
  const { sessions } = await start();
  const session = await sessions.newSession();
  const { value } = sessions.getCookieData(session);
  const [head, body, signature] = value.split('.');
  const { token } = verifiedBy('EdDSA', pair.verifies, value);
  const forgeries = [
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`,
    `${head}.${body}.`,
    `${head}.${body}.${signature}=`,
    forge('EdDSA', pairFor('EdDSA').signs, header, { token, iat: 1, exp: 9_999_999_999 }),
    forge('EdDSA', pair.signs, { ...header, kid: '/dev/null' }, { token, iat: 1, exp: 9_999_999_999 }),
    'x'.repeat(1_000_000),
    token,
    '',
  ];
  for (const forgery of forgeries) expect(sessions.getSession(forgery as string)).toBeUndefined();
  for (const other of [undefined, null, 5, {}, [value], { toString: () => value }])
    expect(sessions.getSession(other as never)).toBeUndefined();
  expect(sessions.getSession(value)).toBe(session);
});

test('threads that join check and make them with keys that are in no ticket', async () => {
  const { sessions } = await start();
  const thread = new Thread();
  const ticket = sessions.createTicket();
  await thread.ask('join', ticket);
  const session = await sessions.newSession({ data: { hook: 7 } });
  expect(await thread.ask('read', sessions.getCookieData(session).value)).toEqual({ hook: 7 });
  const { cookie } = await thread.ask<{ cookie: string }>('create', { data: { hook: 8 } });
  expect(verifiedBy('EdDSA', pair.verifies, cookie)).toHaveProperty('token');
  expect(sessions.getSession(cookie)?.data).toEqual({ hook: 8 });
  expect(inspect(ticket, { depth: 9, showHidden: true })).not.toMatch(/Key|jwt|EdDSA|PRIVATE/);
  await thread.end();
});
