/**
 * Errors sent from one thread to another: whatever was thrown arrives as an Error with the same texts. Used in every
 * thread.
 */

import type { ThreadError } from './startup.js';

/** What was thrown, in a form that can be cloned. Never throws, whatever was thrown. */
export function errorFor(thrown: unknown): ThreadError {
  try {
    if (typeof thrown === 'object' && thrown !== null) {
      const { name, message, stack, code } = thrown as Partial<NodeJS.ErrnoException>;
      const text = (value: unknown) => (value === undefined ? undefined : String(value));
      return { name: String(name ?? 'Error'), message: String(message), stack: text(stack), code: text(code) };
    }
    return { name: 'Error', message: String(thrown), stack: undefined, code: undefined };
  } catch {
    return { name: 'Error', message: 'what was thrown cannot be read', stack: undefined, code: undefined };
  }
}

export function errorFrom({ name, message, stack, code }: ThreadError): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
