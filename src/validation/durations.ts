/** Durations as users write them, and their limits. Used in every thread of the host. */

import ms from 'ms';
import { expected } from '../protocol/errors.js';

/** 100 years of 365.25 days, which is '36525d'. */
export const CENTURY = 36_525 * 86_400_000;

/** The longest delay of a Node timer. With a longer one it would fire at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

// `ms` alone would also accept '1 Week', '-3 mins' and '5'. The bounded repeats refuse overlong texts.
const form = /^\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h|d)$/;

/**
 * A duration in whole milliseconds, rounded; undefined for anything else. Negative numbers are accepted here, as limits
 * are checked elsewhere.
 */
export function parseDuration(value: unknown): number | undefined {
  // Adding 0 turns -0, to which small negative numbers are rounded, into 0.
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value) + 0 : undefined;
  if (typeof value !== 'string' || !form.test(value)) return undefined;
  return Math.round(ms(value as ms.StringValue));
}

/** The limits of a duration, in milliseconds. */
export interface DurationLimits {
  readonly least: 0 | 1;
  readonly most: number;
  /** `most` in the words of an error text. */
  readonly mostInWords: string;
  /** Whether `false`, meaning never, is allowed. */
  readonly orFalse: boolean;
  /** The end of an error text: why the limit is lower than this package's own. */
  readonly because?: string;
}

/** The limits of a session's two timeouts. */
export interface TimeoutLimits {
  readonly idle: DurationLimits;
  readonly absolute: DurationLimits;
}

/** For `idleTimeout` and `absoluteTimeout`. */
export const timeoutLimits: DurationLimits = { least: 1, most: CENTURY, mostInWords: '100 years', orFalse: true };

/**
 * For the option `rotation`. A grace of 0 would end the session of a client that presents its old token while the new
 * one is on its way.
 */
export const rotationLimits: DurationLimits = { ...timeoutLimits, orFalse: false };

/** For `grace` of `rotate`. With 0, the old token ends at once. */
export const graceLimits: DurationLimits = { least: 0, most: CENTURY, mostInWords: '100 years', orFalse: false };

/** For `callTimeout`, which is measured by Node timers. */
export const callLimits: DurationLimits = {
  least: 1,
  most: LONGEST_TIMER,
  mostInWords: `${LONGEST_TIMER} ms`,
  orFalse: false,
};

/** What the value was expected to be; undefined if it is accepted. */
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

/** The milliseconds of a value that `durationRefusal` accepts; Infinity for `false`. */
export function acceptedDuration(value: unknown): number {
  return parseDuration(value) ?? Number.POSITIVE_INFINITY;
}

/** A duration within limits in milliseconds, Infinity for `false`. Throws ERR_INVALID_OPTION for the option `what`. */
export function checkDuration(what: string, value: unknown, limits: DurationLimits): number {
  const refusal = durationRefusal(value, limits);
  if (refusal !== undefined) throw expected(what, refusal, value);
  return acceptedDuration(value);
}
