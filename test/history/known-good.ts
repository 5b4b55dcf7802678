/** Histories that look wrong at first, and are right: each has an order. */

import type { Operation } from './operations.js';
import * as s from './script.js';

const { by, created, script, together, unknown, refused } = s;

const begun = by('A', created('t1', { n: 0 }));

export const knownGood: Readonly<Record<string, Operation[]>> = {
  'a history of nothing': [],
  'a lookup by a token that nobody was given': script(begun, by('B', s.missed('rubbish'))),
  'a read of a set that is not answered yet, and an older one by a thread that overlaps': script(
    begun,
    together(by('A', s.set({ n: 1 })), by('B', s.read(1, { n: 1 })), by('C', s.read(0, { n: 0 }))),
  ),
  'two sets at once, in either order': script(
    begun,
    together(by('A', s.set({ n: 1 })), by('B', s.set({ n: 2 }))),
    by('A', s.read(2, { n: 1 })),
  ),
  'one winner and one conflict': script(
    begun,
    together(by('A', refused('ERR_SESSION_CONFLICT', s.replace({ n: 1 }, 0))), by('B', s.replace({ n: 2 }, 0))),
    by('A', s.read(1, { n: 2 })),
  ),
  'one taker, and one who finds nothing': script(begun, together(by('A', s.took('n')), by('B', s.took('n', 0)))),
  'a lookup that overlaps a close and finds, and a later one that misses': script(
    begun,
    together(by('A', s.close), by('B', s.found('t1')), by('C', s.missed('t1'))),
    by('B', s.missed('t1')),
    by('B', refused('ERR_SESSION_ENDED', s.set({ n: 1 }))),
    by('B', s.close),
  ),
  'a set of unknown outcome that never took effect': script(
    begun,
    by('A', unknown(s.set({ n: 1 }))),
    by('B', s.read(0, { n: 0 })),
    by('B', s.set({ b: 1 })),
    by('B', s.read(1, { n: 0, b: 1 })),
  ),
  'a set of unknown outcome that took effect long after': script(
    begun,
    by('A', unknown(s.set({ n: 1 }))),
    by('B', s.read(0, { n: 0 })),
    by('B', s.set({ b: 1 })),
    by('B', s.read(2, { n: 1, b: 1 })),
  ),
  'a set of unknown outcome that a later one covers': script(
    begun,
    by('A', unknown(s.set({ n: 1 }))),
    by('B', s.set({ n: 2 })),
    by('B', s.read(2, { n: 2 })),
  ),
  'a close of unknown outcome that took effect later': script(
    begun,
    by('A', unknown(s.close)),
    by('B', s.found('t1')),
    by('B', s.missed('t1')),
  ),
  'a rotation of unknown outcome whose token another thread was given': script(
    begun,
    by('A', unknown(s.rotate('t1', undefined))),
    together(by('B', s.found('t1')), by('B', s.held('t2'))),
    by('B', s.rotate('t2', 't3', 0)),
    by('A', s.missed('t2')),
    by('A', s.found('t3')),
  ),
  'two rotations at once: the second goes over to the token of the first': script(
    begun,
    together(by('A', s.rotate('t1', 't2')), by('B', s.rotate('t1', 't2'))),
    together(by('A', s.held('t2')), by('B', s.held('t2'))),
    by('A', s.found('t1')),
  ),
  'two rotations at once, the second called while the first took effect': script(
    begun,
    together(by('A', s.rotate('t1', 't2')), by('B', s.rotate(undefined, 't2', 0))),
    by('A', s.held('t2')),
    by('B', s.found('t1')),
  ),
  'a rotation that was rotated again before its thread asked for the token': script(
    begun,
    together(
      by('A', s.rotate('t1', 't3')),
      by('B', s.found('t1')),
      by('B', s.held('t2')),
      by('B', s.rotate('t2', 't3')),
    ),
    by('C', s.found('t2')),
    by('C', s.missed('t1')),
  ),
  'a rotation whose token one of unknown outcome replaced before its thread asked for it': script(
    begun,
    together(
      by('A', s.rotate('t1', 't3')),
      by('B', s.found('t1')),
      by('B', s.held('t2')),
      by('B', unknown(s.rotate('t2', undefined))),
    ),
    by('C', s.found('t2')),
    by('A', s.held('t3')),
  ),
  'a set of unknown outcome in the place of which another could have come, but not later': script(
    begun,
    by('A', unknown(s.set({ n: 1 }))),
    by('B', unknown(s.replace({ n: 1 }, 0))),
    by('C', s.read(1, { n: 1 })),
    by('C', s.set({ n: 2 })),
    by('C', s.read(3, { n: 1 })),
  ),
  'a token that misses after its grace, and whose grace was over for nobody before': script(
    begun,
    by('A', s.rotate('t1', 't2', 1e-6)),
    by('B', s.found('t1')),
    by('B', s.missed('t1')),
    by('B', s.missed('t1')),
  ),
  'a session that closeAllSessions spares, and one that begins after it': script(
    begun,
    by('B', created('u1', {}, 'ann'), 'other'),
    by('A', s.closeAll(undefined, 's')),
    by('B', created('v1', {}, 'ann'), 'third'),
    together(by('A', s.found('t1')), by('B', s.missed('u1'), 'other'), by('A', s.found('v1'), 'third')),
  ),
  'a refusal that says nothing of the session': script(
    begun,
    by('A', refused('ERR_OVERLOADED', s.set({ n: 1 }))),
    by('A', refused('ERR_TIMEOUT', s.close)),
    by('B', s.read(0, { n: 0 })),
  ),
};
