/**
 * Digests that agree in what the indexes see of them, as no two of real tokens ever will: the whole of a digest opens a
 * session, and nothing less.
 */

import { expect, test } from 'vitest';
import { digestOf, drawToken, seal } from '../dist/src/tokens.js';
import { applied, BareRules, few } from './bare-rules.js';

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
    applied(() => rules.manager.rotate({ target, from, to, grace: 50, sealed }, rules.by()));
  const login = (to: Int32Array) =>
    applied(() => rules.manager.login({ target, digest: to, user: NOTHING, patch: NOTHING }, rules.by()));
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

test('a session gets no digest after another that its index could not tell apart, and is found as before', () => {
  const token = drawToken();
  const digest = digestOf(token);
  const { lookup, target, rotate, login } = begin(digest);
  expect([login(lookalikeOf(digest)), rotate(digest, lookalikeOf(digest))]).toEqual(['used', 'used']);
  expect(lookup.byCookie(token, false)).toMatchObject(target);
});
