/**
 * Promise 1: no two live sessions share a token; what a live session has is answered with 'used', and its caller draws
 * again.
 */

import { expect, test } from 'vitest';
import { digestOf, drawIdInto, drawToken, seal } from '../support/internals.js';
import { applied, BareRules, few } from './bare-rules.js';

const NOTHING = new Uint8Array(0);
const user = new TextEncoder().encode('ann');

function begin() {
  const rules = new BareRules(few);
  const make = (token: string, id?: Int32Array) => rules.begin(digestOf(token), { idle: 10, ...(id && { id }) });
  const made = (token: string) => rules.made(digestOf(token), { idle: 10 });
  const rotate = (target: ReturnType<typeof made>, from: string, to: string) => {
    const call = { target, from: digestOf(from), to: digestOf(to), grace: 5, sealed: seal(from, to) };
    return applied(() => rules.rules.rotate(call, rules.by()));
  };
  const login = (target: ReturnType<typeof made>, token: string) =>
    applied(() => rules.rules.login({ target, digest: digestOf(token), user, patch: NOTHING }, rules.by()));
  return { rules, make, made, rotate, login };
}

test('a live session’s token, and the one it had before, is given to nobody else: not at birth, not at login, not by rotation', () => {
  const { rules, make, made, rotate, login } = begin();
  const [now, before, other] = [drawToken(), drawToken(), drawToken()];
  const owner = made(before);
  const rival = made(other);
  expect(rotate(owner, before, now)).toBeTypeOf('object');
  // The second time the grace is over: the old token's late return still belongs to its session.
  for (const wait of [0, 6]) {
    rules.time += wait;
    for (const token of [now, before]) {
      expect([make(token), login(rival, token), rotate(rival, other, token)]).toEqual(['used', 'used', 'used']);
    }
    expect([login(owner, now), rotate(owner, now, before)]).toEqual(['used', 'used']);
  }
  const reader = rules.reader();
  expect(reader.lookup.byCookie(now, false)).toMatchObject(owner);
  expect(reader.lookup.byCookie(other, false)).toMatchObject(rival);
  expect(rules.sessions.live).toBe(2);
});

test('a live session’s id is given to nobody else', () => {
  const { make } = begin();
  const id = drawIdInto(new Int32Array(4));
  expect(make(drawToken(), id)).toBeTypeOf('object');
  expect(make(drawToken(), id)).toBe('used');
});

test('the token of a session that was closed, or whose time is over though nobody has swept, is unused', () => {
  const { rules, made } = begin();
  const token = drawToken();
  rules.rules.close(made(token), false, NOTHING);
  made(token);
  rules.time += 10;
  const last = made(token);
  expect(rules.reader().lookup.byCookie(token, false)).toMatchObject(last);
  expect([rules.sessions.live, rules.sessions.ended.closed, rules.sessions.ended.idle]).toEqual([1, 1, 1]);
});
