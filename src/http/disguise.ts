/**
 * What a response looks like while its head is held back: as if it were out, so that no error handler begins a second answer. Runs in every thread of the host.
 *
 * The properties that hide those of its class stay afterwards, and pass on to them: to delete any would turn the response into one of a kind that V8 has all code slowed
 * down for that meets it, Node's own included. For the same reason they are the same functions on every response.
 */

import type { ServerResponse } from 'node:http';

interface Held {
  hasEnded: boolean;
  /** What the response had of its own, and has back afterwards. */
  readonly formers: ReadonlyMap<string, PropertyDescriptor>;
}

const held = new Map<ServerResponse, Held>();

/** What is refused once the head is out. */
const changing = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const;

type Look = PropertyDescriptor & ThisType<ServerResponse>;
const looks: ReadonlyMap<string, Look> = new Map<string, Look>([
  ['headersSent', { get: headersSent, configurable: true }],
  ['writableEnded', { get: ended('writableEnded'), configurable: true }],
  ['finished', { get: ended('finished'), configurable: true }],
  ...changing.map((name): [string, Look] => [name, { value: refusal(name), writable: true, configurable: true }]),
]);

/** From here on its head looks as if it were out. */
export function disguise(response: ServerResponse): void {
  const formers = new Map<string, PropertyDescriptor>();
  for (const [name, look] of looks) {
    const own = Object.getOwnPropertyDescriptor(response, name);
    if (own === undefined ? !(name in response) : own.get === look.get && own.value === look.value) continue;
    // `finished` in HTTP/1 is a value that Node itself sets.
    if (name === 'finished' && own?.writable) continue;
    if (own !== undefined) formers.set(name, own);
    Object.defineProperty(response, name, look);
  }
  held.set(response, { hasEnded: false, formers });
}

/** From here on it looks as if it had ended as well. */
export function disguiseEnd(response: ServerResponse): void {
  const state = held.get(response);
  if (state === undefined) return;
  state.hasEnded = true;
  setFinished(response, true);
}

/** From here on it looks as it is. */
export function reveal(response: ServerResponse): void {
  const state = held.get(response);
  if (state === undefined) return;
  held.delete(response);
  if (state.hasEnded) setFinished(response, false);
  for (const [name, former] of state.formers) Object.defineProperty(response, name, former);
}

function setFinished(response: ServerResponse, finished: boolean): void {
  if (Object.getOwnPropertyDescriptor(response, 'finished')?.writable) Reflect.set(response, 'finished', finished);
}

/** As Node's own. */
export function headIsOut(what: string): Error {
  const text = `Cannot ${what} headers after they are sent to the client`;
  return Object.assign(new Error(text), { code: 'ERR_HTTP_HEADERS_SENT' });
}

function headersSent(this: ServerResponse): unknown {
  return held.has(this) || inherited(this, 'headersSent');
}

function ended(name: string) {
  return function (this: ServerResponse): unknown {
    return held.get(this)?.hasEnded || inherited(this, name);
  };
}

function refusal(name: (typeof changing)[number]) {
  return function (this: ServerResponse, ...args: never[]): unknown {
    if (held.has(this)) throw headIsOut(name === 'removeHeader' ? 'remove' : 'set');
    return Reflect.apply(inherited(this, name) as (...args: never[]) => unknown, this, args);
  };
}

function inherited(response: ServerResponse, name: string): unknown {
  return Reflect.get(Object.getPrototypeOf(response), name, response);
}
