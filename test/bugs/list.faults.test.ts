/** Seeded bugs name the test that catches them: a rename of it shows here. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bugs } from './list.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('each seeded bug has the test that catches it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-bugs-list-'));
  const listed = join(folder, 'tests.json');
  const files = [...new Set(bugs.map(({ caughtBy }) => caughtBy.file))];
  // One process for all files: they are only read for the names of their tests.
  const args = ['list', ...files, `--json=${listed}`, '--no-isolate', '--maxWorkers=1'];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'ignore' });
  const tests = JSON.parse(readFileSync(listed, 'utf8')) as { file: string; name: string }[];
  rmSync(folder, { recursive: true });
  const fault = ({ name, caughtBy: { file, test } }: (typeof bugs)[number]) => {
    // As `vitest -t` sees them: without the marks between a describe and what is in it.
    const has = (each: { file: string; name: string }) =>
      each.file === join(root, file) && each.name.replaceAll(' > ', ' ').includes(test);
    return tests.some(has) ? undefined : `${name}: no test of ${file} is named: ${test}`;
  };
  expect(bugs.flatMap((bug) => fault(bug) ?? [])).toEqual([]);
}, 300_000);
