/**
 * The order in which an ending is done: nobody finds a session of which it was told that it is over, nobody ends one
 * that was just seen, nothing of it is left.
 */

import { expect, test } from 'vitest';
import { applied, BareRules, few, packUser, silentNotifier } from '../contract/bare-rules.js';
import { digestOf, drawToken, Endings, REMOVED, seal } from '../support/internals.js';

const NOTHING = new Uint8Array(0);
const IDLE = 10;

function begin() {
  const rules = new BareRules(few);
  const token = drawToken();
  return { rules, token, target: rules.made(digestOf(token), { idle: IDLE }) };
}

test('a session of which it is told that it is over is found by nobody, though nothing of it is freed yet', () => {
  const { rules, token, target } = begin();
  const { lookup } = rules.reader();
  expect(lookup.byCookie(token, false)).toMatchObject(target);
  const found: unknown[] = [];
  const over = () => void found.push(lookup.byCookie(token, false), rules.table.view.pointer(target.slot) > 0);
  new Endings(rules.sessions, { ...silentNotifier, over }, rules.now).end(target.slot, 'closed');
  expect(found).toEqual([undefined, true]);
});

test('a session that is seen in its last millisecond, while the sweep judges it, lives on', () => {
  const { rules, token, target } = begin();
  const { lookup } = rules.reader();
  rules.time += IDLE - 1;
  let judged = 0;
  const endings = new Endings(rules.sessions, silentNotifier, () => {
    // The second look at the clock is that of the judgement, after the mark was read.
    if (++judged === 2) expect(lookup.byCookie(token, true)).toMatchObject(target);
    return rules.time + 1;
  });
  expect(endings.endDue(10).ended).toBe(0);
  expect(judged).toBeGreaterThan(1);
  expect([lookup.byCookie(token, false)?.alive, rules.sessions.live]).toEqual([true, 1]);
  rules.time += IDLE;
  expect(endings.endDue(10).ended).toBe(1);
});

test('an ended session leaves no entry in any index, whatever tokens it had', () => {
  const { rules, token, target } = begin();
  const tokens = [token, drawToken(), drawToken(), drawToken()] as const;
  for (const [from, to] of [
    [tokens[0], tokens[1]],
    [tokens[1], tokens[2]],
  ] as const) {
    const call = { target, from: digestOf(from), to: digestOf(to), grace: 5, sealed: seal(from, to) };
    expect(applied(() => rules.rules.rotate(call, rules.by()))).toBeTypeOf('object');
  }
  const login = { target, digest: digestOf(tokens[3]), user: packUser('ann'), patch: NOTHING };
  expect(applied(() => rules.rules.login(login, rules.by()))).toBeTypeOf('object');
  const { digests, previous, ids } = rules.table.view.indexes;
  const entries = () =>
    [digests, previous, ids].map((buffers) =>
      buffers.reduce((count, words) => count + words.filter((word) => word !== 0 && word !== REMOVED).length, 0),
    );
  expect(entries()).toEqual([1, 0, 1]);
  rules.rules.close(target, false, NOTHING);
  expect(entries()).toEqual([0, 0, 0]);
});
