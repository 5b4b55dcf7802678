/** The checker of histories, held against histories that are known to be right or wrong. */

import { describe, expect, test } from 'vitest';
import { checkHistory } from './check.js';
import { knownBad } from './known-bad.js';
import { knownGood } from './known-good.js';
import { by, created, missed, read, rotate, script, set, together, unknown } from './script.js';

describe('the checker accepts', () => {
  test.each(Object.entries(knownGood))('%s', (_, history) => {
    expect(checkHistory(history).failures).toEqual([]);
  });
});

describe('the checker rejects', () => {
  test.each(Object.entries(knownBad))('%s', (_, history) => {
    expect(checkHistory(history).failures).not.toEqual([]);
  });

  test.each(Object.entries(knownBad))('in whatever order its operations are handed in: %s', (_, history) => {
    expect(checkHistory([...history].reverse()).failures).not.toEqual([]);
  });
});

const long = (length: number, ...more: Parameters<typeof script>) => {
  const writes = Array.from({ length }, (_, n) => [
    together(by('A', set({ a: n })), by('B', set({ b: n })), by('C', set({ c: n }))),
    together(by('A', read(3 * n + 3, { a: n, b: n, c: n })), by('B', read(3 * n + 3, { a: n, b: n, c: n }))),
  ]);
  return script(by('A', created('t1')), ...writes.flat(), ...more);
};

describe('the checker takes long histories', () => {
  test('ten thousand operations of one session, nearly without a wrong choice', () => {
    const report = checkHistory(long(2000));
    expect([report.failures, report.operations]).toEqual([[], 10_001]);
    expect(report.visited).toBeLessThan(20_000);
  });

  test('with a fault in them', () => {
    const history = long(
      1000,
      by('B', read(2999, { a: 999, b: 999, c: 998 })),
      by('B', read(3000, { a: 999, b: 999, c: 999 })),
    );
    const { failures } = checkHistory(history);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toContain('no order explains its first 5002 answers (of 5003 operations)');
  });

  test('with thirty sets of unknown outcome, a third of which took effect', () => {
    const lost = Array.from({ length: 30 }, (_, n) => by('D', unknown(set({ [`u${n}`]: n }))));
    const seen: Record<string, number> = {};
    const reads = Array.from({ length: 10 }, (_, n) => {
      seen[`u${n * 3}`] = n * 3;
      return by('B', read(n + 1, seen));
    });
    expect(checkHistory(script(by('A', created('t1')), lost, ...reads)).failures).toEqual([]);
    const history = script(by('A', created('t1')), lost, ...reads, by('B', read(10, { ...seen, u1: 1 })));
    expect(checkHistory(history).failures).not.toEqual([]);
  });

  test('and says so when a history is too entangled to be judged, rather than to guess', () => {
    const sets = Array.from({ length: 12 }, (_, n) => by(`${n}`, set({ [`k${n}`]: n })));
    const history = script(by('A', created('t1')), sets, by('A', read(12, {})));
    expect(checkHistory(history, 1000).failures).toEqual([
      'Session s: gave up after 1001 states; 14 operations are too entangled',
    ]);
  });
});

describe('an explanation', () => {
  const history = script(
    by('A', created('secret-1', { n: 0 })),
    by('A', rotate('secret-1', 'secret-2')),
    together(by('B', set({ n: 1 })), by('C', missed('secret-2'))),
    by('A', read(1, { n: 1 })),
    by('A', read(1, { n: 1 })),
  );

  test('ends with the first answer that does not fit, and tells what was before and meanwhile', () => {
    expect(checkHistory(history).failures[0]).toBe(
      [
        'Session s: no order explains its first 4 answers (of 6 operations). What was answered last does not fit:',
        '  [2.0 – 2.5 µs] C: lookup by token 2: a miss',
        'Answered before it:',
        '  [0.0 – 0.5 µs] A: newSession { n: 0 }, under token 1',
        '  [1.0 – 1.5 µs] A: rotate token 1, grace 3600000 ms, then held token 2',
        '  [2.0 – 2.5 µs] B: set { n: 1 }',
        'Before it, the session may have been:',
        '  live, version 1, { n: 1 }, under token 2, token 1 in its grace',
      ].join('\n'),
    );
  });

  test.each(Object.entries({ ...knownBad, history }))('names tokens without showing them: %s', (_, bad) => {
    const secret = (text: string | undefined) => text && `secret-${text}`;
    const named = bad.map((each) => {
      const copy = { ...each };
      if ('token' in copy) copy.token = secret(copy.token) as never;
      if ('from' in copy) copy.from = secret(copy.from);
      return copy;
    });
    const { failures } = checkHistory(named);
    expect(failures).not.toEqual([]);
    expect(failures.join()).not.toContain('secret');
  });
});
