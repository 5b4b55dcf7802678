/** Calls that were refused. Used in every thread of the host. */

import { ANSWERS, type Answer } from '../protocol/calls.js';
import { type Outcome, SessionError, type SessionErrorCode } from '../protocol/errors.js';

const REPEATS = 'No unused token could be drawn: the source of random numbers repeats itself';

/**
 * A call's answer that is no answer: why, and whether anything may have changed. Thrown by the method that called, so
 * that the stack is its caller's.
 */
export class Refused {
  readonly answer: Answer | undefined;
  readonly code: SessionErrorCode;
  readonly outcome: Outcome;

  constructor(code: SessionErrorCode, outcome: Outcome = 'not-applied', answer?: Answer) {
    this.code = code;
    this.outcome = outcome;
    this.answer = answer;
  }

  toError(cause?: unknown): SessionError {
    const text = this.answer === 'used' ? REPEATS : undefined;
    return new SessionError(this.code, text, { outcome: this.outcome, ...(cause === undefined ? {} : { cause }) });
  }
}

export function noToken(): SessionError {
  return new SessionError('ERR_TOKEN_UNKNOWN', 'A session under a key of the caller has no token');
}

/** What each answer that is no 'done' means, by its place in ANSWERS. */
export const refusals: readonly Refused[] = ANSWERS.map((answer) => {
  if (answer === 'malformed') return new Refused('ERR_INVALID_OPTION', 'not-applied', answer);
  if (answer === 'given-up' || answer === 'done') return new Refused('ERR_TIMEOUT', 'not-applied', answer);
  if (answer === 'used') return new Refused('ERR_SESSION_CONFLICT', 'not-applied', answer);
  if (answer === 'moved') return new Refused('ERR_TOKEN_UNKNOWN', 'not-applied', answer);
  return new Refused(
    answer,
    answer === 'ERR_STORE' || answer === 'ERR_MANAGER_RESTARTED' ? 'unknown' : 'not-applied',
    answer,
  );
});

export const unreadable = new Refused('ERR_MANAGER_FAILED', 'unknown');

/**
 * Repeats a call that draws a token or an id, as long as the answer is that a live session has it already. Gives up
 * after `timeout` milliseconds, and returns the last answer. `first` is the answer to the first attempt.
 */
export async function redrawWhileUsed<T>(
  first: T | Refused,
  timeout: number,
  attempt: () => Promise<T | Refused>,
): Promise<T | Refused> {
  const since = performance.now();
  let answer = first;
  while (answer instanceof Refused && answer.answer === 'used' && performance.now() - since < timeout)
    answer = await attempt();
  return answer;
}

/** A call that nobody will answer: whether it was done is unknown, if the manager had begun it. */
export function refusedAt(call: number, begun: number, code: SessionErrorCode): Refused {
  return new Refused(code, ((begun - call) | 0) >= 0 ? 'unknown' : 'not-applied');
}
