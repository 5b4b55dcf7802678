/**
 * Takes the safeguards of `list.js` out of a copy of the tree, one at a time, and demands that the test named there
 * misses it:
 *
 *   node test/bugs/run.js [--only PART_OF_A_NAME]…
 *
 * The named test must pass with nothing taken out, and fail, or hang, without the safeguard.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bugs } from './list.js';
import { placeOf, withBug } from './place.js';

/** How long one test may take, and how long vitest with it. */
const TEST_TIMEOUT = 20_000;
const TIMEOUT = 60_000;
/**
 * Fewer than a test of schedules tries by itself, so that it keeps to its time on a busy machine: each of these bugs
 * shows in the first dozens.
 */
const COATCHECK_SCHEDULES = '500';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [''] } } });
const chosen = bugs.filter(({ name }) => values.only.some((part) => name.includes(part)));
const copy = mkdtempSync(join(tmpdir(), 'coatcheck-bugs-'));
const report = join(copy, 'report.json');
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

copyTree();
allowUnused();
const broken = build();
if (broken !== undefined) throw new Error(`The tree does not build:\n${broken}`);

const width = Math.max(...chosen.map(({ name }) => name.length));
/** What each test came to with nothing taken out. */
const sound = new Map();
let failed = 0;
for (const bug of chosen) {
  const began = performance.now();
  const { file, test } = bug.caughtBy;
  const key = `${file} ${test}`;
  if (!sound.has(key)) sound.set(key, await run(bug.caughtBy));
  const before = sound.get(key);
  const verdict =
    before.passed === 0 || before.isCaught ? `its test does not pass as it is: ${before.how}` : await seed(bug);
  if (verdict !== 'caught') failed++;
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
  const row = verdict === 'caught' ? 'caught    ' : 'NOT CAUGHT';
  console.log(`${row}  ${bug.name.padEnd(width)}  ${seconds} s  ${file}: ${test}`);
  if (verdict !== 'caught') console.log(`            ${verdict}`);
}
console.log(`\n${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && chosen.length > 0 ? 0 : 1;

/** The files that git knows, or would take. */
function copyTree() {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const path of list.toString().split('\0')) {
    if (path === '' || path === 'node_modules') continue;
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(root, path), join(copy, path));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

/** Code that is taken out may leave names that nothing uses any more. */
function allowUnused() {
  const path = join(copy, 'tsconfig.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  Object.assign(config.compilerOptions, { noUnusedLocals: false, noUnusedParameters: false });
  writeFileSync(path, JSON.stringify(config));
}

/** What the compiler says against the tree; undefined if nothing. */
function build() {
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-b', 'tsconfig.worker.json'], {
    cwd: copy,
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `${stdout}${stderr}`;
}

/** Takes a safeguard out, looks whether its test notices, and puts it back. */
async function seed(bug) {
  const place = placeOf(bug, copy);
  const path = join(copy, place.file);
  writeFileSync(path, withBug(place, bug.replace));
  try {
    const errors = build();
    if (errors !== undefined) return `it does not build: ${errors}`;
    const { isCaught, how } = await run(bug.caughtBy);
    return isCaught ? 'caught' : how;
  } finally {
    writeFileSync(path, place.text);
    build();
  }
}

/** Runs one test. It has caught something if it failed, did not end, or took its process with it. */
async function run({ file, test }) {
  rmSync(report, { force: true });
  const pattern = test.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  const vitest = spawn(
    process.execPath,
    [
      join('node_modules', 'vitest', 'vitest.mjs'),
      ...['run', file, '-t', pattern, '--reporter=json', `--outputFile=${report}`],
      ...[`--testTimeout=${TEST_TIMEOUT}`, `--hookTimeout=${TEST_TIMEOUT}`],
    ],
    { cwd: copy, stdio: 'ignore', detached: true, env: { ...process.env, COATCHECK_SCHEDULES } },
  );
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    // With all that it has started.
    process.kill(-vitest.pid, 'SIGKILL');
  }, TIMEOUT);
  const status = await new Promise((resolve) => vitest.on('close', resolve));
  clearTimeout(timer);
  if (isLate) return { isCaught: true, passed: 0, how: 'it did not end' };
  const { numPassedTests: passed, numFailedTests: failures } = JSON.parse(readFileSync(report, 'utf8'));
  const isCrash = status !== 0 && passed + failures === 0;
  if (isCrash) return { isCaught: false, passed, how: 'no test was run' };
  return { isCaught: status !== 0, passed, how: `${passed} passed, ${failures} failed` };
}
