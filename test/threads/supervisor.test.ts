/**
 * How the supervisor judges a heartbeat: by a table of looks, with its clock and its timer in our hands.
 */

import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  HangDetector,
  HEADER,
  reserveTable,
  Supervisor,
  type SupervisorOptions,
  shapeFor,
} from '../support/internals.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the judgement by looks', () => {
  const START_TIMEOUT = 10_000;

  /**
   * A detector of a manager that has beaten once, and is up. Each look: milliseconds since the one before, and whether
   * there was a beat.
   */
  function judged() {
    let now = 5000;
    let beat = 7;
    const detector = new HangDetector(now);
    detector.started(beat, START_TIMEOUT);
    const look = (apart: number, beats = false) => {
      now += apart;
      if (beats) beat = (beat + 1) | 0;
      return detector.look(now, beat);
    };
    return { detector, look, time: () => now };
  }

  function running() {
    const each = judged();
    each.look(100, true);
    each.detector.running();
    return each;
  }

  /** The number of the look with a verdict, of at most 1000. */
  function firstVerdict(look: (apart: number) => string | undefined, apart: (n: number) => number) {
    for (let n = 1; n <= 1000; n++) {
      const verdict = look(apart(n));
      if (verdict !== undefined) return `${verdict} at look ${n}`;
    }
    return 'none';
  }

  test.each([
    ['in time', 100],
    ['late each time', 300],
    ['a second late each time', 1100],
    ['a minute late each time', 60_000],
  ])('a heart that stands still is noticed at the tenth look, were the looks %s', (_, apart) => {
    expect(firstVerdict(running().look, () => apart)).toBe('hung at look 10');
  });

  test('looks that come early count for no more than the time between them', () => {
    expect(firstVerdict(running().look, () => 10)).toBe('hung at look 100');
  });

  test.each([
    ['was blocked for ten seconds', 10_000],
    ['was stopped for an hour and continued', 3_600_000],
  ])('a process that %s gives nobody up: it adds one look', (_, pause) => {
    const { look } = running();
    for (let n = 0; n < 8; n++) expect(look(100)).toBeUndefined();
    expect(look(pause)).toBeUndefined();
    expect(look(100, true)).toBeUndefined();
    expect(firstVerdict(look, () => 100)).toBe('hung at look 10');
  });

  test('stopped and continued without end, a manager that beats in between lives', () => {
    const { look } = running();
    for (let n = 0; n < 1000; n++) expect(look(n % 2 === 0 ? 30_000 : 100, n % 5 === 0)).toBeUndefined();
  });

  test('a host whose loop is held up for 250 of every 900 milliseconds notices a hang within 1.5 seconds', () => {
    const { look, time } = running();
    const before = time();
    // Six looks in time, and one behind the task.
    expect(firstVerdict(look, (n) => (n % 7 === 0 ? 300 : 100))).toBe('hung at look 10');
    expect(time() - before).toBeLessThan(1500);
  });

  test('until the first beat, only the time to start counts', () => {
    expect(firstVerdict(judged().look, () => 100)).toBe('not started at look 100');
    const { look } = judged();
    for (let n = 0; n < 50; n++) look(100);
    expect(look(100, true)).toBeUndefined();
    expect(firstVerdict(look, () => 100)).toBe('hung at look 10');
  });

  test('a manager that beats and never says that it is up has not started in time', () => {
    const { look } = judged();
    expect(
      firstVerdict(
        (apart) => look(apart, true),
        () => 100,
      ),
    ).toBe('not started at look 100');
  });

  test('a host that is blocked for longer than a start may take gives it the rest of that time', () => {
    const { detector, look } = judged();
    expect(look(12_000)).toBeUndefined();
    expect(look(12_000, true)).toBeUndefined();
    detector.running();
    for (let n = 0; n < 200; n++) expect(look(100, true)).toBeUndefined();
  });

  test('of another manager, nothing is held against it that the one before did', () => {
    const { detector, look } = running();
    for (let n = 0; n < 9; n++) look(100);
    detector.started(8, START_TIMEOUT);
    expect(firstVerdict(look, () => 100)).toBe('not started at look 100');
  });
});

test('a manager whose heart stands still is given up at the tenth look, be each of them late', async () => {
  const memory = reserveTable(shapeFor({ maxSessions: 8, maxBytes: 5000, maxSessionBytes: 600 }), [1, 2]);
  const header = new Int32Array(memory.header);
  const post = {
    startup: { memory },
    worker: new URL('data:text/javascript,setInterval(() => {}, 1000)'),
    name: 'judged',
    callTimeout: 1000,
    restarts: { most: 0, within: 1000 },
    resourceLimits: {},
  };
  let now = 1000;
  let look = () => {};
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const timers = vi.spyOn(globalThis, 'setInterval').mockImplementation(((judge: () => void) => {
    look = judge;
    return { unref() {} };
  }) as never);
  const supervisor = new Supervisor(post as unknown as SupervisorOptions);
  timers.mockRestore();
  supervisor.start();
  const beat = () => Atomics.add(header, HEADER.heartbeat, 1);
  const isGivenUpAfter = (looks: number, apart: number) => {
    const epoch = Atomics.load(header, HEADER.ownerEpoch);
    for (let n = 0; n < looks; n++) {
      now += apart;
      look();
    }
    return Atomics.load(header, HEADER.ownerEpoch) !== epoch;
  };
  beat();
  expect(isGivenUpAfter(10, 300)).toBe(false);
  beat();
  // The look that sees the beat, and nine more.
  expect(isGivenUpAfter(10, 300)).toBe(false);
  expect(isGivenUpAfter(1, 300)).toBe(true);
  await supervisor.abort();
});
