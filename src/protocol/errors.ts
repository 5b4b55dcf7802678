/** Refusals: one error class, one catalogue of codes and texts. Used in every thread. */

export type SessionErrorCode =
  | 'ERR_INVALID_OPTION'
  | 'ERR_INVALID_DATA'
  | 'ERR_SESSION_ENDED'
  | 'ERR_SESSION_CONFLICT'
  | 'ERR_SESSION_TOO_LARGE'
  | 'ERR_SESSION_LIMIT'
  | 'ERR_TABLE_FULL'
  | 'ERR_TOKEN_UNKNOWN'
  | 'ERR_NAME_IN_USE'
  | 'ERR_MANAGER_NOT_FOUND'
  | 'ERR_MANAGER_STOPPED'
  | 'ERR_MANAGER_RESTARTED'
  | 'ERR_MANAGER_FAILED'
  | 'ERR_OVERLOADED'
  | 'ERR_TIMEOUT'
  | 'ERR_STORE';

/** Whether a refused call changed anything: 'unknown' only where that cannot be known. */
export type Outcome = 'not-applied' | 'applied' | 'unknown';

/**
 * The text for each code, used where the caller of the constructor gives no more exact one. No text contains a token, a
 * digest or session data.
 */
export const texts: Readonly<Record<SessionErrorCode, string>> = {
  ERR_INVALID_OPTION: 'An option or argument has a value that is not allowed',
  ERR_INVALID_DATA: 'Session data holds a value that cannot be stored',
  ERR_SESSION_ENDED: 'The session has ended',
  ERR_SESSION_CONFLICT: 'The session was changed by someone else since it was read',
  ERR_SESSION_TOO_LARGE: 'The session data is larger than `maxSessionBytes` allows',
  ERR_SESSION_LIMIT: 'The user already holds as many sessions as `maxSessionsPerUser` allows',
  ERR_TABLE_FULL: 'The session table is full: `maxSessions` or `maxBytes` is reached',
  ERR_TOKEN_UNKNOWN: 'This thread does not know the current token of the session: look it up by its cookie first',
  ERR_NAME_IN_USE: 'A session manager of this name is already running here: choose another `name`, or connect to it',
  ERR_MANAGER_NOT_FOUND:
    'No session manager of this name can be found from this thread: start it before this thread is spawned, or pass a ticket',
  ERR_MANAGER_STOPPED: 'The session manager has been stopped',
  ERR_MANAGER_RESTARTED: 'The session manager was restarted while the call was under way',
  ERR_MANAGER_FAILED: 'The session manager thread has died: lookups go on, changes are refused',
  ERR_OVERLOADED: 'Too many calls are waiting in this thread: wait for some of them before making more',
  ERR_TIMEOUT: 'The call was not answered within `callTimeout`',
  ERR_STORE: 'The session store failed',
};

/**
 * On the prototype of SessionError in every copy of the package, for `instanceof`: two copies in one thread share their
 * managers, and therefore their errors.
 */
const brand = Symbol.for('coatcheck.SessionError');

/**
 * The one error class of the package: `code` says what happened, `outcome` whether the refused call changed anything.
 * `instanceof SessionError` holds for the errors of every copy of the package.
 */
export class SessionError extends Error {
  static {
    Object.defineProperty(SessionError.prototype, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): value is SessionError {
    return typeof value === 'object' && value !== null && brand in value;
  }

  override readonly name = 'SessionError';
  readonly code: SessionErrorCode;
  readonly outcome: Outcome;

  constructor(
    code: SessionErrorCode,
    message: string = texts[code],
    options: { outcome?: Outcome; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.outcome = options.outcome ?? 'not-applied';
  }
}

/** The one form in which a wrong argument is refused: what was expected, and what was given. */
export function expected(what: string, tobe: string, got: unknown): SessionError {
  return new SessionError('ERR_INVALID_OPTION', `Expected \`${what}\` to be ${tobe}, got ${show(got)}`);
}

/**
 * A wrong value as an error may show it: its type, and the value itself if it is short. Must not be called with a
 * token, a key or session data.
 */
function show(value: unknown): string {
  if (value === null || value === undefined) return `\`${value}\``;
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return `\`${Object.is(value, -0) ? '-0' : value}\` (${typeof value})`;
    case 'bigint':
      return 'a bigint';
    case 'string':
      return value.length <= 40 ? `${JSON.stringify(value)} (string)` : `a string of ${value.length} characters`;
    case 'object':
      return isArray(value) ? 'an array' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}

/** As Array.isArray, but false for a revoked proxy, at which that throws. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
