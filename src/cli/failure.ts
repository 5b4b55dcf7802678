/** Errors as the user of the command sees them. Runs in the main thread. */

import { types } from 'node:util';

/** A failure that the user can understand and correct: shown as one line on stderr, without a stack. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** One line for any thrown value. */
export function tell(error: unknown): string {
  return types.isNativeError(error) ? error.message : String(error);
}

/** The code of a system error, such as 'ENOENT'; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  if (!types.isNativeError(error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
