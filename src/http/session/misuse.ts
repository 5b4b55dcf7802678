/**
 * Errors for handlers that were written for express-session: an assignment to the session stores nothing, and some of
 * its methods have other names here. Runs in every thread of the host.
 */

import { SessionError } from '../../index.js';

/** Methods of express-session's sessions that do not exist here. */
const foreign = ['regenerate', 'save', 'reload', 'destroy'];

/**
 * Makes assignments to objects with this prototype throw ERR_INVALID_OPTION, also in sloppy mode, and calls of
 * express-session's methods too. Reading an unknown property gives undefined.
 *
 * An assignment to a property of the prototype meets a setter. Any other assignment goes up the prototype chain to a
 * proxy at its end. So neither the objects nor reads of existing properties are slowed down.
 */
export function refuseForeignUse(prototype: object): void {
  for (const name of foreign) Object.defineProperty(prototype, name, { value: refusalOf(name), configurable: true });
  for (const [name, { value, get = () => value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const set = () => refuseAssignment(name);
    if (name !== 'constructor') Object.defineProperty(prototype, name, { get, set, configurable: true });
  }
  const end = new Proxy(Object.create(Object.prototype), { set: (_, key) => refuseAssignment(key) });
  Object.setPrototypeOf(prototype, end);
}

function refuseAssignment(key: string | symbol): never {
  const place = `\`session${shown(key)}\``;
  const text = `An assignment to ${place} stores nothing: use \`session.set({ … })\` for data, \`session.login(userId)\` for a user`;
  throw new SessionError('ERR_INVALID_OPTION', text);
}

function refusalOf(name: string) {
  return (): never => {
    const text = `\`session.${name}()\` is express-session's: here \`login()\` begins a session anew, \`logout()\` ends it, and \`set()\` stores`;
    throw new SessionError('ERR_INVALID_OPTION', text);
  };
}

/**
 * The property as the error shows it. What may have come from a client is not shown, only a short name that looks like
 * a property of the application's.
 */
function shown(key: string | symbol): string {
  return typeof key === 'string' && /^[a-z_$][\w$]{0,31}$/i.test(key) ? `.${key}` : '[…]';
}
