/**
 * What a request's session says to handlers that are written for express-session: that an assignment stores nothing,
 * and what to call instead of its methods. Runs in every thread of the host.
 */

import { SessionError } from '../../index.js';

/** Methods of express-session's sessions that have no counterpart of the same name. */
const foreign = ['regenerate', 'save', 'reload', 'destroy'];

/**
 * Has every assignment to an object with this prototype throw ERR_INVALID_OPTION, also in sloppy code, and so every
 * call of a foreign method. To read what there is not gives `undefined`.
 *
 * An assignment to what the prototype has meets a setter. Any other goes up the chain of prototypes, at whose end
 * there is a proxy: so neither the object nor a read of what it has pays for one.
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

/** Nothing that may be a client's: only what is short and looks like a name of the application's own. */
function shown(key: string | symbol): string {
  return typeof key === 'string' && /^[a-z_$][\w$]{0,31}$/i.test(key) ? `.${key}` : '[…]';
}
