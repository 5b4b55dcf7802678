/** Memory that was never used is not held, and memory that was dropped is given back, measured as resident memory. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { wrongWithResident } from '../torture/resident.js';

/** 20,000 and 500 in `npm run torture -- --managers 1000`. */
const CONNECTS = 4000;
const STARTS = 30;
const SESSIONS = 1000;

async function wrong(what: string, count: number): Promise<string[]> {
  const program = fileURLToPath(new URL('../torture/resident.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, what, `${count}`]);
  return wrongWithResident(what, count, JSON.parse(stdout));
}

test('a thread that joins and leaves thousands of times leaves no memory behind', { timeout: 180_000 }, async () => {
  expect(await wrong('connects', CONNECTS)).toEqual([]);
});

test('managers of default size, started and stopped in turn, leave no memory behind', {
  timeout: 180_000,
}, async () => {
  expect(await wrong('starts', STARTS)).toEqual([]);
});

test('a table for three million sessions holds no memory before they come', { timeout: 180_000 }, async () => {
  expect(await wrong('fills', SESSIONS)).toEqual([]);
});
