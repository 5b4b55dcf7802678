/** Refusals of calls, as data. Used in every thread of the host. */

import { ANSWERS, type Answer } from '../protocol/calls.js';
import { type Outcome, SessionError, type SessionErrorCode } from '../protocol/errors.js';

const REPEATS = 'No unused token could be drawn: the source of random numbers repeats itself';

/**
 * Why a call was refused, and whether it may have changed anything. The method that made the call turns it into an
 * error, so that the stack is that of its caller.
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

/** The refusal for each answer, by its index in ANSWERS. */
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
 * Repeats a call that draws a token or an id while the manager answers that a live session has it already. `first` is
 * the answer to the first attempt. Gives up after `timeout` milliseconds, and returns the last answer.
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

/** The refusal of a call that will not be answered. Its outcome is unknown if the manager had begun it. */
export function refusedAt(call: number, begun: number, code: SessionErrorCode): Refused {
  return new Refused(code, ((begun - call) | 0) >= 0 ? 'unknown' : 'not-applied');
}
