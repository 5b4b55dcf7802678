/**
 * Looks over the shoulder of every test file: whatever the process prints (its threads' output comes by there too), whatever a call of a manager or session throws or rejects
 * with, and whatever a listener is told may hold no token. Cookies are made by `getCookieData` alone, which returns and does not tell.
 */

import { inspect } from 'node:util';
import { afterAll, expect } from 'vitest';
import { Manager } from '../../dist/src/manager.js';
import { SessionHandle } from '../../dist/src/session.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** What 32 random bytes look like: all but one in a thousand have a capital, a small letter and a digit. */
const TOKEN = /(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{43}(?![\w-])/;
/** Of what comes in thousands, so much is looked at. */
const MOST = 2000;

const found: string[] = [];
let looks = 0;

function look(where: string, what: unknown): void {
  const text = typeof what === 'string' ? what : inspect(what, { depth: 6, getters: true, showHidden: true });
  // Not the text itself: a failed test would print it.
  if (TOKEN.test(text)) found.push(where);
}

function lookNow(where: string, what: unknown): void {
  if (looks++ < MOST) look(where, what);
}

for (const [name, stream] of Object.entries({ stdout: process.stdout, stderr: process.stderr })) {
  const write = stream.write as Method;
  stream.write = function (this: unknown, ...args: unknown[]) {
    look(`printed to ${name}`, String(args[0]));
    return Reflect.apply(write, this, args);
  } as typeof stream.write;
}
process.on('warning', (warning) => look('a warning', warning));

for (const { prototype } of [Manager, SessionHandle]) {
  for (const [name, { value, ...rest }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value !== 'function' || name === 'constructor') continue;
    const method = function (this: unknown, ...given: unknown[]) {
      const args = name === 'on' ? [given[0], heard(given[1]), ...given.slice(2)] : given;
      try {
        const returned = Reflect.apply(value as Method, this, args);
        if (returned instanceof Promise) returned.catch((error: unknown) => lookNow(`an error of ${name}`, error));
        return returned;
      } catch (error) {
        lookNow(`an error of ${name}`, error);
        throw error;
      }
    };
    Object.defineProperty(prototype, name, { ...rest, value: method });
  }
}

/** What is no function is left for `on` to refuse. */
function heard(listener: unknown): unknown {
  if (typeof listener !== 'function') return listener;
  return function (this: unknown, event: unknown) {
    lookNow('an event', event);
    return Reflect.apply(listener, this, [event]);
  };
}

afterAll(() => expect(found, 'where tokens stood').toEqual([]));
