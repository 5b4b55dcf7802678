import { describe, expect, test } from 'vitest';
import { parseDuration } from '../support/internals.js';

describe('durations', () => {
  test.each([
    [90_000, '90s'],
    [1_800_000, '30m'],
    [28_800_000, '8h'],
    [1_209_600_000, '14d'],
    [500, '500ms'],
    [5_400_000, '1.5h'],
    [0, '0s'],
    [2, '1.6ms'],
    [1234, 1234],
    [2, 1.5],
    [0, -0.2],
    [-5, -5],
  ])('are %i ms as %j', (milliseconds, value) => {
    expect(parseDuration(value)).toBe(milliseconds);
  });

  test('are nothing but numbers and the written forms', () => {
    const others = [
      '',
      '5',
      's',
      '5 s',
      ' 5s',
      '5s ',
      '5s\n',
      '5S',
      '-5s',
      '+5s',
      '.5h',
      '5.h',
      '1w',
      '1y',
      '1 week',
      '5m5s',
    ];
    const odd = [
      '1e3s',
      '0x5s',
      '٣s',
      '1,5h',
      'Infinity',
      `${'9'.repeat(16)}s`,
      `${'1'.repeat(1e6)}s`,
      NaN,
      Infinity,
      -Infinity,
    ];
    const alien: unknown[] = [
      undefined,
      null,
      true,
      false,
      5n,
      Symbol('5s'),
      [],
      ['5s'],
      {},
      { valueOf: () => 5 },
      new String('5s'),
      () => 5,
    ];
    for (const value of [...others, ...odd, ...alien]) expect(parseDuration(value)).toBeUndefined();
  });
});
