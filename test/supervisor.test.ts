/** How the supervisor judges a heartbeat, with its clock and its timer in our hands. */

import { afterEach, expect, test, vi } from 'vitest';
import { HEADER, reserveTable, shapeFor } from '../dist/src/protocol/layout.js';
import { type Post, Supervisor } from '../dist/src/supervisor.js';

afterEach(() => {
  vi.restoreAllMocks();
});

test('a manager whose heart stands still is given up after a second, in which the supervisor itself was never held up', async () => {
  const memory = reserveTable(shapeFor({ maxSessions: 8, maxBytes: 5000, maxSessionBytes: 600 }), [1, 2]);
  const header = new Int32Array(memory.header);
  const post = {
    startup: { memory },
    worker: new URL('data:text/javascript,setInterval(() => {}, 1000)'),
    name: 'judged',
    callTimeout: 1000,
    restarts: { most: 0, within: 1000 },
    resourceLimits: undefined,
  };
  let now = 1000;
  let look = () => {};
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const timers = vi.spyOn(globalThis, 'setInterval').mockImplementation(((judge: () => void) => {
    look = judge;
    return { unref() {} };
  }) as never);
  const supervisor = new Supervisor(post as unknown as Post);
  timers.mockRestore();
  supervisor.start();
  Atomics.add(header, HEADER.heartbeat, 1);
  const isGivenUpAfter = (looks: number, apart: number) => {
    const epoch = Atomics.load(header, HEADER.ownerEpoch);
    for (let n = 0; n < looks; n++) {
      now += apart;
      look();
    }
    return Atomics.load(header, HEADER.ownerEpoch) !== epoch;
  };
  // Each look comes late: who stood still, the manager or the whole machine, cannot be told.
  expect(isGivenUpAfter(100, 300)).toBe(false);
  expect(isGivenUpAfter(9, 100)).toBe(false);
  // One that is late in between makes the second begin anew.
  expect(isGivenUpAfter(1, 300)).toBe(false);
  expect(isGivenUpAfter(9, 100)).toBe(false);
  expect(isGivenUpAfter(1, 100)).toBe(true);
  await supervisor.abort();
});
