/**
 * Looks over the shoulder of every test file: whatever the process prints (its threads' output comes by there too),
 * whatever a call of a manager or session throws or rejects with, and whatever a listener is told may hold no token.
 * Cookies are made by `getCookieData` alone, which returns and does not tell.
 */

import { inspect } from 'node:util';
import { afterAll, expect } from 'vitest';
import { ManagerClient, SessionHandle } from './internals.js';
import { hearPrinted } from './printed.js';

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

function lookAtMost(where: string, what: unknown): void {
  if (looks++ < MOST) look(where, what);
}

hearPrinted((stream, text) => look(`printed to ${stream}`, text));
process.on('warning', (warning) => look('a warning', warning));

for (const { prototype } of [ManagerClient, SessionHandle]) {
  for (const [name, { value, ...rest }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value !== 'function' || name === 'constructor') continue;
    const method = function (this: unknown, ...given: unknown[]) {
      const args = name === 'on' ? [given[0], heard(given[1]), ...given.slice(2)] : given;
      try {
        const returned = Reflect.apply(value as Method, this, args);
        if (returned instanceof Promise) returned.catch((error: unknown) => lookAtMost(`an error of ${name}`, error));
        return returned;
      } catch (error) {
        lookAtMost(`an error of ${name}`, error);
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
    lookAtMost('an event', event);
    return Reflect.apply(listener, this, [event]);
  };
}

afterAll(() => expect(found, 'where tokens stood').toEqual([]));
