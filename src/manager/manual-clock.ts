/**
 * A clock that stands still until it is moved, in every thread at once. For tests and replays. Only the thread that
 * made it can move it.
 */

import { types } from 'node:util';
import { type ClockMemory, clockOffset, reserveClock, setClockOffset } from '../protocol/clock.js';
import { expected } from '../protocol/errors.js';
import type { Duration, ManualClock } from '../types/types.js';
import { checkDuration, graceLimits } from '../validation/durations.js';

const memories = new WeakMap<object, ClockMemory>();
/** The last instant that a Date can be. */
const LAST_INSTANT = 8.64e15;

/**
 * Makes a manual clock that stands at `start` (a Date, or milliseconds since 1970; default: now). Session time never
 * goes back: setting it to an earlier instant throws ERR_INVALID_OPTION.
 */
export function createManualClock(start: number | Date = Date.now()): ManualClock {
  const memory = reserveClock(toTime('start', start, 0), true);
  const now = () => clockOffset(memory);
  const clock: ManualClock = {
    now,
    set: (time) => setClockOffset(memory, toTime('time', time, now())),
    advance: (by: Duration) => {
      const milliseconds = checkDuration('by', by, graceLimits);
      setClockOffset(memory, toTime('by', now() + milliseconds, now()));
    },
  };
  memories.set(clock, memory);
  return clock;
}

export function isManualClock(value: unknown): boolean {
  return typeof value === 'object' && value !== null && memories.has(value);
}

export function memoryOf(clock: ManualClock): ClockMemory {
  return memories.get(clock) as ClockMemory;
}

function toTime(what: string, value: unknown, earliest: number): number {
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : value;
  if (typeof time === 'number' && time >= earliest && time <= LAST_INSTANT) return Math.floor(time);
  throw expected(what, `an instant no earlier than ${earliest}, the session time now`, value);
}
