/**
 * Session time: one clock for all threads of a manager. Used in every thread; only the manager sets it, or a test that
 * uses a manual clock.
 *
 * Time is the process's monotonic clock plus an offset that lies in shared memory, so it runs alike in every thread and
 * never goes back. The manager compares it with the wall clock each second and moves the offset, by `judgeAnchor`:
 *   - the wall clock is ahead by a little: followed at once;
 *   - the wall clock jumped ahead (or the machine slept): followed once it has stayed there for a minute, because that
 *     ends sessions;
 *   - the wall clock is behind: never followed, so that no session grows older than it may.
 * A manual clock lies in the same memory; its offset is the time itself.
 */

// The global `performance` is a getter, which costs more than reading the clock.
import { performance } from 'node:perf_hooks';

const RING = 64;
const WORD_COUNT = 4;
const CURRENT = 0;
const MANUAL = 1;

/**
 * A clock's shared memory: two words (which entry is current, whether it is manual), then a ring of offsets in
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
 * Publishes another offset: writes it beside the current one, then makes it current with one atomic store. Only one
 * thread may set a clock.
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
 * Returns a function that reads the process's monotonic clock in milliseconds, the same in all threads, and is cheap
 * enough for each lookup.
 */
export function monotonic(): () => number {
  // `performance.now()` counts from each thread's own start, but costs a third of `process.hrtime`, which is the same
  // in all threads. Of 16 readings the one with the shortest duration is used: threads then differ by less than a
  // message between them takes.
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

/** A lead of session time up to this is not a step of the wall clock: it comes from rounding and clock discipline. */
const UNNOTICED_LEAD = 100;

/**
 * Converts an instant that a caller gives to session time, which `now` reads. With a manual clock it is session time
 * already.
 *
 * When the wall clock is set back, session time stays ahead of it. An instant not later than the wall clock's present
 * is then taken as a reading of the wall clock, and moved by the lead. A later one can only be session time, such as a
 * session's `createdAt`, or a reading from before the step, when both were the same: it is not changed. If the wall
 * clock is ahead, instants are not moved either: moved back, sessions would be left that the caller meant to end.
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
 * A lead of the wall clock up to this is followed at once: less than any sensible timeout, more than clock discipline
 * moves in a second.
 */
const SMALL_LEAD = 500;
/** How long a larger lead must last before it is followed. */
const CONFIRM_FOR = 60_000;

/**
 * What the manager remembers between two looks at the wall clock: since when (monotonic) it has been far ahead, and its
 * smallest lead since then.
 */
interface AnchorState {
  readonly since: number;
  readonly lead: number;
}

/** Computes the next offset. `wall` and `mono`: milliseconds, read together. */
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
  // Only the part of the lead that was there all the time is followed.
  if (mono - state.since >= CONFIRM_FOR) return { offset: offset + sure, state: undefined };
  return { offset, state: { since: state.since, lead: sure } };
}
