/** Histories that no correct session manager can bring about, each by the promise that it breaks. */

import type { Operation } from './operations.js';
import * as s from './script.js';

const { by, created, script, together, unknown, refused } = s;

const begun = by('A', created('t1', { n: 0 }));

export const knownBad: Readonly<Record<string, Operation[]>> = {
  'a lost update: two sets of different keys were acknowledged, and one is gone': script(
    begun,
    together(by('A', s.set({ a: 1 })), by('B', s.set({ b: 1 }))),
    by('A', s.read(2, { n: 0, b: 1 })),
  ),
  'a lost update: two changes make one version': script(
    begun,
    together(by('A', s.set({ n: 1 })), by('B', s.set({ n: 2 }))),
    by('A', s.read(1, { n: 2 })),
  ),
  'a session found after its close was acknowledged': script(begun, by('A', s.close), by('B', s.found('t1'))),
  'a session that comes back: missed, then found': script(
    begun,
    together(by('A', unknown(s.close)), by('B', s.missed('t1'))),
    by('B', s.found('t1')),
  ),
  'a set that succeeds after a close': script(begun, by('A', s.close), by('B', s.set({ n: 1 }))),
  'a login that brings an ended session back': script(
    begun,
    by('A', s.close),
    by('B', s.login('ann', 't2')),
    by('B', s.found('t2')),
  ),
  'a session that outlives closeAllSessions': script(begun, by('B', s.closeAll()), by('A', s.read(0, { n: 0 }))),
  "closeAllSessions of one user that ends another's": script(
    by('A', created('t1', {}, 'ann')),
    by('B', s.closeAll('bob')),
    by('A', s.missed('t1')),
  ),
  'a session that closeAllSessions was told to spare': script(
    begun,
    by('B', s.closeAll(undefined, 's')),
    by('A', s.missed('t1')),
  ),
  'a stale read after an acknowledged set': script(begun, by('A', s.set({ n: 1 })), by('B', s.read(0, { n: 0 }))),
  'a read of what is only set later': script(begun, by('B', s.read(1, { n: 1 })), by('A', s.set({ n: 1 }))),
  'a torn value: some keys of one write, some of another': script(
    begun,
    together(by('A', s.replace({ a: 1, b: 1 })), by('B', s.replace({ a: 2, b: 2 }))),
    by('C', s.read(2, { a: 1, b: 2 })),
  ),
  'half a write, seen while it is under way': script(
    begun,
    together(by('A', s.set({ a: 1, b: 1 })), by('B', s.read(1, { n: 0, a: 1 }))),
  ),
  'the data of one version under the number of another': script(
    begun,
    by('A', s.set({ n: 1 })),
    by('B', s.read(0, { n: 1 })),
  ),
  'two takers of one key': script(begun, together(by('A', s.took('n', 0)), by('B', s.took('n', 0)))),
  'a key that is there after it was taken': script(begun, by('A', s.took('n', 0)), by('B', s.read(1, { n: 0 }))),
  'a take that finds nothing where there is something': script(begun, by('A', s.took('n'))),
  'two winners of a replace of one version': script(
    begun,
    together(by('A', s.replace({ n: 1 }, 0)), by('B', s.replace({ n: 2 }, 0))),
  ),
  'a conflict where nobody wrote': script(begun, by('A', refused('ERR_SESSION_CONFLICT', s.replace({ n: 1 }, 0)))),
  'a replace that was refused and took effect': script(
    begun,
    by('B', s.set({ n: 1 })),
    by('A', refused('ERR_SESSION_CONFLICT', s.replace({ n: 9 }, 0))),
    by('A', s.read(2, { n: 9 })),
  ),
  'an old token that is honoured after a login': script(begun, by('A', s.login('ann', 't2')), by('B', s.found('t1'))),
  'a login whose own token misses': script(begun, by('A', s.login('ann', 't2')), by('A', s.missed('t2'))),
  'a login that forgets its user': script(begun, by('A', s.login('ann', 't2')), by('B', s.read(0, { n: 0 }))),
  'both tokens dead after a rotation: the new one': script(
    begun,
    by('A', s.rotate('t1', 't2')),
    by('B', s.missed('t2')),
  ),
  'both tokens dead after a rotation: the old one, in its grace': script(
    begun,
    by('A', s.rotate('t1', 't2')),
    by('B', s.missed('t1')),
  ),
  'an old token that is honoured after a rotation without grace': script(
    begun,
    by('A', s.rotate('t1', 't2', 0)),
    by('B', s.found('t1')),
  ),
  'a token honoured after the second of two rotations': script(
    begun,
    by('A', s.rotate('t1', 't2')),
    by('A', s.rotate('t2', 't3')),
    by('B', s.found('t1')),
  ),
  'two rotations of one token that make two': script(
    begun,
    together(by('A', s.rotate('t1', 't2')), by('B', s.rotate('t1', 't3'))),
    by('A', s.held('t2')),
    by('B', s.held('t3')),
  ),
  'a token that is gone and comes back': script(
    begun,
    together(by('A', s.rotate('t1', 't2')), by('B', s.rotate('t1', 't2'))),
    by('A', s.rotate('t2', 't3', 0)),
    by('B', s.held('t2')),
  ),
  'a token that is made a second time': script(
    begun,
    by('A', s.rotate('t1', 't2')),
    by('A', s.rotate('t2', 't3', 0)),
    by('B', s.rotate('t3', 't2')),
    by('B', s.held('t2')),
  ),
  'a token that is made a second time, by calls that overlap': script(
    begun,
    together(by('A', s.rotate('t1', 't2')), by('B', s.rotate('t2', 't3', 0)), by('C', s.rotate('t3', 't2'))),
    by('C', s.held('t2')),
  ),
  'a token that comes back by one of several rotations of unknown outcome': script(
    begun,
    together(
      by('A', unknown(s.rotate('t1', undefined, 0))),
      by('B', unknown(s.rotate(undefined, undefined, 0))),
      by('C', unknown(s.rotate(undefined, undefined, 0))),
    ),
    by('D', s.held('t2')),
    by('D', s.held('t3')),
    by('D', s.held('t2')),
  ),
  'a rotation that leaves the token as it was': script(
    begun,
    by('A', s.rotate('t1', 't2')),
    by('A', s.rotate('t2', 't2')),
    by('A', s.held('t2')),
  ),
  'a token that is honoured again when its grace was over': script(
    begun,
    by('A', s.rotate('t1', 't2', 1e-6)),
    by('B', s.missed('t1')),
    by('B', s.found('t1')),
  ),
  'a version that goes back within one thread': script(
    begun,
    together(by('A', s.set({ n: 1 })), by('B', s.read(1, { n: 1 }))),
    by('B', s.read(0, { n: 0 })),
  ),
  'a version that goes back within one thread, while the set is under way': [
    ...script(begun, by('A', unknown(s.set({ n: 1 })))),
    ...script([], [], by('B', s.read(1, { n: 1 })), by('B', s.read(0, { n: 0 }))),
  ],
  'a set that was acknowledged and is lost after one of unknown outcome': script(
    begun,
    by('A', s.set({ a: 1 })),
    by('B', unknown(s.set({ b: 1 }))),
    by('B', s.read(1, { n: 0, b: 1 })),
  ),
  'a set of unknown outcome that took effect twice': script(
    begun,
    by('A', unknown(s.set({ n: 1 }))),
    by('B', s.read(1, { n: 1 })),
    by('B', s.set({ n: 2 })),
    by('B', s.read(3, { n: 1 })),
  ),
  'a set of unknown outcome that took effect before it was called': script(
    begun,
    by('B', s.read(1, { n: 1 })),
    by('A', unknown(s.set({ n: 1 }))),
  ),
  'half of a set of unknown outcome': script(
    begun,
    by('A', unknown(s.set({ a: 1, b: 1 }))),
    by('B', s.read(1, { n: 0, a: 1 })),
  ),
  'a rotation of unknown outcome that leaves no valid token': script(
    begun,
    by('A', unknown(s.rotate('t1', undefined))),
    by('B', s.held('t2')),
    together(by('A', s.missed('t1')), by('B', s.missed('t2'))),
  ),
  'a login of unknown outcome that is taken back': script(
    begun,
    by('A', unknown(s.login('ann', undefined))),
    by('B', s.missed('t1')),
    by('B', s.found('t1')),
  ),
  'a set that was refused because the session had ended, though it had not': script(
    begun,
    by('A', refused('ERR_SESSION_ENDED', s.set({ n: 1 }))),
    by('B', s.found('t1')),
  ),
  'one token of two sessions': script(begun, by('B', created('t1'), 'other')),
  "a lookup that finds another's session": script(
    begun,
    by('B', created('t2'), 'other'),
    by('B', s.found('t1'), 'other'),
  ),
};
