/** What the person at the terminal is told when a command cannot go on. Runs in the main thread. */

import { types } from 'node:util';

/** A failure that the person can understand and mend: shown as one line on stderr, without a stack. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** One line for any error. */
export function tell(error: unknown): string {
  return types.isNativeError(error) ? error.message : String(error);
}

/** The code of a system error, as 'ENOENT'; undefined for an error without one. */
export function codeOf(error: unknown): string | undefined {
  if (!types.isNativeError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
