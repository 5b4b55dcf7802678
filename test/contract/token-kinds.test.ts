/**
 * Everything that proves or names something, shown wherever something is proved or named: each kind opens its own door
 * and no other.
 */

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Claim, CookieOptions, Session, SessionManager } from '../../dist/src/index.js';
import { csrfTokenOf, digestOf, isCsrfTokenOf, seal } from '../support/internals.js';
import { pairFor } from '../support/jwt.js';
import { overBareRules } from './hosts.js';

const formats: Readonly<Record<string, CookieOptions>> = {
  opaque: {},
  signed: { format: 'signed', keys: ['k'.repeat(32)] },
  'a JWT': { format: 'jwt', keys: [pairFor('EdDSA').signs] },
};

const base64url = (bytes: ArrayBufferView) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');

/** The token that a cookie of any format carries. */
function tokenIn(cookie: string): string {
  const [first = '', second] = cookie.split('.');
  return first.startsWith('eyJ') && second !== undefined
    ? JSON.parse(Buffer.from(second, 'base64url').toString()).token
    : first;
}

/** By kind, what there is of two sessions of one manager: one with a token, one under a key. */
function kindsOf(manager: SessionManager, session: Session, key: string) {
  const claim = manager.getClaimOf(session);
  const cookie = manager.getCookieData(session).value;
  const token = tokenIn(cookie);
  const form = csrfTokenOf(claim);
  const [secret] = claim.secrets('coatcheck csrf v1');
  const sealed = base64url(seal(token, token));
  return {
    cookie,
    ...(cookie === token ? {} : { token }),
    'digest of the token': base64url(digestOf(token)),
    'digest in hex': Buffer.from(base64url(digestOf(token)), 'base64url').toString('hex'),
    id: session.id,
    form,
    'first half of the form’s': form.slice(0, 43),
    'second half of the form’s': form.slice(43),
    'secret of the forms': base64url(secret as Uint8Array),
    'another secret': base64url(claim.secrets('another')[0] as Uint8Array),
    'sealed token': sealed,
    'start of the sealed token': sealed.slice(0, 43),
    key,
    'digest of the key': base64url(digestOf(`coatcheck session key v1\0${key}`)),
    'bare digest of the key': base64url(digestOf(key)),
    user: 'ann',
    name: 'contract',
  };
}

type Door = (shown: never, claim: Claim) => unknown;

const doors = (manager: SessionManager): Readonly<Record<string, Door>> => ({
  cookie: (shown) => manager.getSession(shown),
  id: (shown) => manager.getSessionById(shown),
  key: (shown) => manager.getSessionByKey(shown),
  form: (shown, claim) => isCsrfTokenOf(claim, shown) || undefined,
});

describe.each(Object.entries(formats))('with cookies that are %s', (_, cookie) => {
  test('each kind opens its own door, and no other', async () => {
    const { manager } = await overBareRules({ cookie: { secure: false, ...cookie } });
    onTestFinished(() => manager.stop());
    const key = 'x'.repeat(43);
    const session = await manager.newSession({ userId: 'ann' });
    await manager.putSession(key, { data: {} });
    const kinds = kindsOf(manager, session, key);
    expect(Object.keys(kinds).length).toBeGreaterThan(15);
    const claim = manager.getClaim(kinds.cookie) as Claim;
    for (const [door, open] of Object.entries(doors(manager)))
      for (const [kind, shown] of Object.entries(kinds)) {
        const isOpen = open(shown as never, claim) !== undefined;
        expect([door, kind, isOpen]).toEqual([door, kind, kind === door]);
      }
    for (const [kind, shown] of Object.entries(kinds)) {
      expect([kind, (await manager.loadSession(shown)) === session]).toEqual([kind, kind === 'cookie']);
      expect([kind, manager.getClaim(shown) !== undefined]).toEqual([kind, kind === 'cookie']);
    }
  });

  test('what ends a session by its id or key is refused or does nothing when it is shown another kind', async () => {
    const { manager } = await overBareRules({ cookie: { secure: false, ...cookie } });
    onTestFinished(() => manager.stop());
    const key = 'x'.repeat(43);
    const session = await manager.newSession({ userId: 'ann' });
    const keyed = await manager.putSession(key, { data: {} });
    const { id, key: _, ...kinds } = kindsOf(manager, session, key);
    for (const shown of [...Object.values(kinds), key])
      for (const end of [manager.sessionWantsToClose, manager.sessionTerminating])
        await expect(end.call(manager, shown as never)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
    for (const shown of [...Object.values(kinds), id]) await manager.closeSessionByKey(shown);
    expect([session.alive, keyed.alive]).toEqual([true, true]);
  });
});

test('a form’s token is none of the session that follows, of another session, nor of the same one after a login', async () => {
  const { manager } = await overBareRules({ cookie: { secure: false } });
  onTestFinished(() => manager.stop());
  const session = await manager.newSession();
  const other = await manager.newSession();
  const form = csrfTokenOf(manager.getClaimOf(session));
  expect(isCsrfTokenOf(manager.getClaimOf(session), form)).toBe(true);
  expect(isCsrfTokenOf(manager.getClaimOf(other), form)).toBe(false);
  await session.login('ann');
  expect(isCsrfTokenOf(manager.getClaimOf(session), form)).toBe(false);
});
