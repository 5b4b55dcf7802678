/**
 * What proves something is compared in a time that says nothing of where it differs: every such comparison goes through
 * `timingSafeEqual`, over the whole of it, with every key.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { overBareRules } from '../contract/hosts.js';
import { createCookieFormat, csrfTokenOf, isCsrfTokenOf, resolveCookieOptions } from '../support/internals.js';

const crypto = createRequire(import.meta.url)('node:crypto');
const { timingSafeEqual } = crypto;
/** How many bytes were compared, each time. */
const compared: number[] = [];
crypto.timingSafeEqual = (one: Uint8Array, other: Uint8Array) => {
  compared.push(one.byteLength);
  return timingSafeEqual(one, other);
};
syncBuiltinESMExports();
afterAll(() => {
  crypto.timingSafeEqual = timingSafeEqual;
  syncBuiltinESMExports();
});
beforeEach(() => {
  compared.length = 0;
});

const token = Buffer.alloc(32, 0xa5).toString('base64url');
const changed = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
/** Where the first and the last sign of the proof stand, and one between. */
const places = (start: number, end: number) => [start, (start + end) >> 1, end - 1];

test('the MAC of a signed cookie: as much for a good one as for any other, with each of the keys', () => {
  const keys = ['a', 'b', 'c'].map((letter) => letter.repeat(32));
  const format = createCookieFormat(resolveCookieOptions({ format: 'signed', keys }));
  const times = { issuedAt: 0, endsAt: 1 };
  const good = keys.map((key) =>
    createCookieFormat(resolveCookieOptions({ format: 'signed', keys: [key] })).valueOf(token, times),
  );
  const shown = [...good, ...good.flatMap((cookie) => places(44, cookie.length).map((at) => changed(cookie, at)))];
  const taken = shown.map((cookie) => {
    const value = format.tokenOf(cookie, 0);
    // Of the MAC's 43 signs, with each key, whichever of them made it and wherever it differs.
    expect(compared.splice(0)).toEqual([43, 43, 43]);
    return value;
  });
  expect(taken).toEqual([token, token, token, ...Array(9).fill(undefined)]);
});

test('a form’s token: all of the secret, wherever it differs', async () => {
  const { manager } = await overBareRules({ cookie: { secure: false } });
  onTestFinished(() => manager.stop());
  const claim = manager.getClaimOf(await manager.newSession());
  const form = csrfTokenOf(claim);
  for (const [shown, isOwn] of [
    [form, true],
    ...places(0, form.length - 1).map((at) => [changed(form, at), false]),
  ] as const) {
    expect(isCsrfTokenOf(claim, shown)).toBe(isOwn);
    expect(compared.splice(0)).toEqual([32]);
  }
});

test('a token itself is compared with nothing: it is hashed whole, however far it is like one that is live', async () => {
  const { manager } = await overBareRules({ cookie: { secure: false } });
  onTestFinished(() => manager.stop());
  const live = manager.getCookieData(await manager.newSession()).value;
  let hashed: string[] = [];
  const { hash } = crypto;
  crypto.hash = (algorithm: string, data: string, ...rest: unknown[]) => {
    hashed.push(data);
    return hash(algorithm, data, ...rest);
  };
  syncBuiltinESMExports();
  try {
    for (const shown of [...places(0, 43).map((at) => changed(live, at)), 'x'.repeat(43)]) {
      hashed = [];
      expect(manager.getSession(shown)).toBeUndefined();
      expect(hashed).toEqual([shown]);
    }
  } finally {
    crypto.hash = hash;
    syncBuiltinESMExports();
  }
});
