/**
 * Digests that agree in what the indexes see of them, as no two of real tokens ever will: the whole of a digest opens a
 * session, and nothing less.
 */

import { expect, test } from 'vitest';
import { applied, BareRules, few } from '../contract/bare-rules.js';
import { digestOf, drawToken, seal } from '../support/internals.js';

const NOTHING = new Uint8Array(0);

/** The same first words, and another last one. */
function lookalikeOf(digest: Int32Array): Int32Array {
  const forged = digest.slice();
  forged[7] = (forged[7] as number) ^ 1;
  return forged;
}

function begin(digest: Int32Array) {
  const rules = new BareRules(few);
  const target = rules.made(digest);
  const rotate = (from: Int32Array, to: Int32Array, sealed = seal(drawToken(), drawToken())) =>
    applied(() => rules.rules.rotate({ target, from, to, grace: 50, sealed }, rules.by()));
  const login = (to: Int32Array) =>
    applied(() => rules.rules.login({ target, digest: to, user: NOTHING, patch: NOTHING }, rules.by()));
  return { rules, target, rotate, login, lookup: rules.reader().lookup };
}

test('a token opens no session whose digest only begins like its own, neither the current one nor the one before', () => {
  const token = drawToken();
  const forged = lookalikeOf(digestOf(token));
  const { lookup, rotate } = begin(forged);
  expect(lookup.byCookie(token, false)).toBeUndefined();
  expect(rotate(forged, digestOf(drawToken()))).toBeTypeOf('object');
  expect(lookup.byCookie(token, false)).toBeUndefined();
});

test('a session is found by each digest that follows another which its index cannot tell from it', () => {
  const digests = [digestOf(drawToken())];
  for (let n = 1; n < 6; n++) {
    const next = lookalikeOf(digests[n - 1] as Int32Array);
    next[6] = n;
    digests.push(next);
  }
  const { rules, target, rotate, login } = begin(digests[0] as Int32Array);
  const found = () => digests.map((digest) => rules.sessions.byDigest(digest));
  expect(login(digests[1] as Int32Array)).toBeTypeOf('object');
  expect(found()).toEqual([-1, 0, -1, -1, -1, -1]);
  expect(rotate(digests[1] as Int32Array, digests[2] as Int32Array)).toBeTypeOf('object');
  expect(found()).toEqual([-1, 0, 0, -1, -1, -1]);
  expect(rotate(digests[2] as Int32Array, digests[3] as Int32Array)).toBeTypeOf('object');
  expect(found()).toEqual([-1, -1, 0, 0, -1, -1]);
  expect(login(digests[4] as Int32Array)).toBeTypeOf('object');
  expect(found()).toEqual([-1, -1, -1, -1, 0, -1]);
  rules.rules.close(target, false, NOTHING);
  expect(found()).toEqual([-1, -1, -1, -1, -1, -1]);
  const next = rules.made(digests[5] as Int32Array);
  expect([rules.sessions.byDigest(digests[5] as Int32Array), rules.sessions.live]).toEqual([next.slot, 1]);
});
