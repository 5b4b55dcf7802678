/** Values and classes of another realm: a context of node:vm, as Jest gives each test file one. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createManualClock } from '../../dist/src/testing.js';
import { idleTimeoutOf, isPort, isReport, setHeaders } from '../support/internals.js';

test('in a realm of its own, the package starts a manager, keeps data of that realm, refuses and ends', async () => {
  const program = fileURLToPath(new URL('../fixtures/in-a-realm.js', import.meta.url));
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program]);
  expect(JSON.parse(stdout)).toEqual({
    isFound: true,
    at: 5,
    inMap: [1],
    words: [1, -2],
    list: [{ deep: [null] }],
    refused: 'ERR_INVALID_DATA',
    ended: 1,
  });
});

test('a Date of another realm is an instant', () => {
  expect(createManualClock(runInNewContext('new Date(7)')).now()).toBe(7);
  const expires = runInNewContext(`new Date(${Date.now() + 60_000})`);
  expect(idleTimeoutOf({ cookie: { expires } })).toBeGreaterThan(50_000);
});

test('headers in a Map of another realm are set', () => {
  const set = new Map<string, unknown>();
  const response = {
    removeHeader: (name: string) => set.delete(name),
    getHeader: (name: string) => set.get(name),
    setHeader: (name: string, value: unknown) => set.set(name, value),
  };
  expect(setHeaders(response as never, [200, runInNewContext("new Map([['X-One', '1']])")])).toEqual([200]);
  expect([...set]).toEqual([['X-One', '1']]);
});

test('shared memory of another realm is shared memory, and what only looks like a port is none', () => {
  const [words, journal] = runInNewContext('[new SharedArrayBuffer(8), new SharedArrayBuffer(8)]');
  expect(isReport({ coatcheck: 'joined', number: 1, words, journal })).toBe(true);
  expect(isReport({ coatcheck: 'joined', number: 1, words, journal: new ArrayBuffer(8) })).toBe(false);
  const { port1, port2 } = new MessageChannel();
  expect([port1, port2].map(isPort)).toEqual([true, true]);
  expect([undefined, null, 1, {}, [], { postMessage: 1, close: 1 }].map(isPort)).not.toContain(true);
  port1.close();
});
