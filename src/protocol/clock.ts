/**
 * Session time: one clock for all threads of a manager. Used in every thread; only the manager sets it (or, by hand, a
 * test).
 *
 * Time is the process's monotonic clock plus an offset that lies in shared memory, so it runs alike in every thread and
 * never goes back. The manager compares it with the wall clock each second and moves the offset, by `judgeAnchor`:
 *   - the wall clock is ahead by a little: followed at once;
 *   - the wall clock jumped ahead (or the machine slept): believed when it has stayed there for a minute, because following ends sessions;
 *   - the wall clock is behind: never followed, so that no session grows older than it may.
 * A manual clock lies in the same memory; its offset is the time itself.
 */

// The global one is a getter, which costs more than to read the clock.
import { performance } from 'node:perf_hooks';

const RING = 64;
const WORD_COUNT = 4;
const CURRENT = 0;
const MANUAL = 1;

/**
 * A clock's shared memory: two words (which entry counts, whether it is manual), then a ring of offsets in
 * milliseconds.
 */
export type ClockMemory = SharedArrayBuffer;

export function reserveClock(offset: number, manual: boolean): ClockMemory {
  const memory = new SharedArrayBuffer(WORD_COUNT * 4 + RING * 8);
  new Int32Array(memory, 0, WORD_COUNT)[MANUAL] = manual ? 1 : 0;
  new Float64Array(memory, WORD_COUNT * 4)[0] = offset;
  return memory;
}

/**
 * Publishes another offset: written beside the current one, then named by one atomic store. One thread sets a clock,
 * never two.
 */
export function setClockOffset(memory: ClockMemory, offset: number): void {
  const words = new Int32Array(memory, 0, WORD_COUNT);
  const next = (Atomics.load(words, CURRENT) + 1) % RING;
  new Float64Array(memory, WORD_COUNT * 4)[next] = offset;
  Atomics.store(words, CURRENT, next);
}

export function clockOffset(memory: ClockMemory): number {
  const words = new Int32Array(memory, 0, WORD_COUNT);
  return new Float64Array(memory, WORD_COUNT * 4)[Atomics.load(words, CURRENT)] as number;
}

/**
 * Milliseconds of the process's monotonic clock, the same in all threads, as a function cheap enough for each lookup.
 */
export function monotonic(): () => number {
  // `performance.now()` counts from each thread's own start and costs a third of `process.hrtime`, which is the same
  // everywhere. The tightest of some readings, so that two threads differ by less than it takes them to tell each other
  // the time.
  let difference = 0;
  let tightest = Number.POSITIVE_INFINITY;
  for (let reading = 0; reading < 16; reading++) {
    const before = performance.now();
    const [seconds, nanoseconds] = process.hrtime();
    const after = performance.now();
    if (after - before >= tightest) continue;
    tightest = after - before;
    difference = seconds * 1e3 + nanoseconds / 1e6 - (before + after) / 2;
  }
  return () => performance.now() + difference;
}

/** Session time in whole milliseconds, as this thread reads it. */
export function readClock(memory: ClockMemory): () => number {
  const words = new Int32Array(memory, 0, WORD_COUNT);
  const offsets = new Float64Array(memory, WORD_COUNT * 4);
  if (words[MANUAL] === 1) return () => offsets[Atomics.load(words, CURRENT)] as number;
  const mono = monotonic();
  let last = 0;
  return () => {
    const now = Math.floor(mono() + (offsets[Atomics.load(words, CURRENT)] as number));
    if (now > last) last = now;
    return last;
  };
}

/** Whether session time is moved by hand. */
export function isManual(memory: ClockMemory): boolean {
  return new Int32Array(memory, 0, WORD_COUNT)[MANUAL] === 1;
}

/** A lead of session time up to this is no step of the wall clock: it comes from rounding and from clock discipline. */
const UNNOTICED_LEAD = 100;

/**
 * An instant that a caller gives, in session time, which `now` reads; a manual clock's instants are session time.
 *
 * Session time runs ahead of the wall clock once that was set back, and stays ahead. An instant that is not later than
 * the wall clock's present is then taken for a reading of the wall clock, and moved by the lead. A later one can only
 * be session time, such as a session's `createdAt`, or a reading from before the step, when both were the same: it is
 * taken as it is. Where the wall clock is ahead, instants are not moved: moved back, they would spare sessions.
 */
export function toSessionTime(instant: number, memory: ClockMemory, now: () => number): number {
  if (isManual(memory)) return instant;
  // The lead lies between the two differences, however long this thread was stopped between the readings.
  const before = now();
  const present = Date.now();
  const isAhead = before - present > UNNOTICED_LEAD;
  return isAhead && instant <= present ? instant + (now() - present) : instant;
}

/**
 * A lead of the wall clock up to this is followed at once: less than any timeout that makes sense, more than clock
 * discipline moves in a second.
 */
const SMALL_LEAD = 500;
/** How long a larger lead must have lasted to be believed. */
const CONFIRM_FOR = 60_000;

/**
 * What the manager remembers between two looks at the wall clock: since when (monotonic) it has been far ahead, and how
 * far at least.
 */
export interface AnchorState {
  readonly since: number;
  readonly lead: number;
}

/** Judges the offset anew: `wall` and `mono` in milliseconds, read together. */
export function judgeAnchor(
  offset: number,
  wall: number,
  mono: number,
  state: AnchorState | undefined,
): { offset: number; state: AnchorState | undefined } {
  const lead = wall - (mono + offset);
  if (lead <= 0) return { offset, state: undefined };
  if (lead <= SMALL_LEAD) return { offset: offset + lead, state: undefined };
  if (state === undefined) return { offset, state: { since: mono, lead } };
  const sure = Math.min(lead, state.lead);
  // Believed is only the part of the lead that has been there all the time.
  if (mono - state.since >= CONFIRM_FOR) return { offset: offset + sure, state: undefined };
  return { offset, state: { since: state.since, lead: sure } };
}
