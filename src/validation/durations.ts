/** Durations as users write them, and the limits they are held to. Used in every thread of the host. */

import ms from 'ms';
import { expected } from '../protocol/errors.js';

/** One hundred years of 365.25 days: what `'36525d'` is. */
export const CENTURY = 36_525 * 86_400_000;

/** The longest delay a Node timer takes; a longer one would fire at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

// `ms` alone would also take '1 Week', '-3 mins' and '5'. The bounded repeats refuse overlong text as well.
const form = /^\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h|d)$/;

/**
 * A duration in whole milliseconds (rounded), or undefined for what is none. Negative numbers are durations here:
 * limits are another matter.
 */
export function parseDuration(value: unknown): number | undefined {
  // Adding 0 makes the -0 that small negative numbers round to a plain 0.
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value) + 0 : undefined;
  if (typeof value !== 'string' || !form.test(value)) return undefined;
  return Math.round(ms(value as ms.StringValue));
}

/** What a duration is held to, in milliseconds. `least` is 0 or 1. */
export interface DurationLimits {
  readonly least: 0 | 1;
  readonly most: number;
  /** How an error says `most`. */
  readonly mostInWords: string;
  /** Whether `false`, for never, is allowed. */
  readonly orFalse: boolean;
  /** Who wants it so, where that is not this package. */
  readonly because?: string;
}

/** What the two timeouts of a session are held to. */
export interface TimeoutLimits {
  readonly idle: DurationLimits;
  readonly absolute: DurationLimits;
}

/** Of `idleTimeout` and `absoluteTimeout`. */
export const timeoutLimits: DurationLimits = { least: 1, most: CENTURY, mostInWords: '100 years', orFalse: true };

/**
 * Of `rotation`: a grace of nothing would end the session of whoever shows the old token while the new one is on its
 * way.
 */
export const rotationLimits: DurationLimits = { ...timeoutLimits, orFalse: false };

/** Of `grace`. Zero: the old token ends at once. */
export const graceLimits: DurationLimits = { least: 0, most: CENTURY, mostInWords: '100 years', orFalse: false };

/** Of `callTimeout`, which real timers measure. */
export const callLimits: DurationLimits = {
  least: 1,
  most: LONGEST_TIMER,
  mostInWords: `${LONGEST_TIMER} ms`,
  orFalse: false,
};

/** Why this value is refused: what it was expected to be. Undefined where it is not. */
export function durationRefusal(value: unknown, limits: DurationLimits): string | undefined {
  if (limits.orFalse && value === false) return undefined;
  const or = limits.orFalse ? ' or false' : '';
  const because = limits.because ?? '';
  if (value === false && because !== '') return `a duration, not false${because}`;
  const duration = parseDuration(value);
  if (duration === undefined || (typeof value === 'number' && value < 0) || (limits.least > 0 && value === 0))
    return `a ${limits.least > 0 ? 'positive' : 'non-negative'} duration${or}`;
  if (duration < limits.least) return `a duration of at least ${limits.least} ms${or}`;
  if (duration > limits.most)
    return `a duration of at most ${limits.mostInWords}${or}${limits.most < CENTURY ? because : ''}`;
  return undefined;
}

/** Milliseconds of a value that `durationRefusal` had nothing against; Infinity for `false`. */
export function acceptedDuration(value: unknown): number {
  return parseDuration(value) ?? Number.POSITIVE_INFINITY;
}

/** Milliseconds of a duration within limits, Infinity for `false`; anything else is refused under the name `what`. */
export function checkDuration(what: string, value: unknown, limits: DurationLimits): number {
  const refusal = durationRefusal(value, limits);
  if (refusal !== undefined) throw expected(what, refusal, value);
  return acceptedDuration(value);
}
