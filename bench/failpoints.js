/**
 * Do failpoints and heartbeat cost anything that can be seen? The build as it is beside the same without them: `npm run
 * bench:failpoints`.
 *
 * Both are measured in one process, in turns of some hundredths of a second, and compared within each pair: what others
 * do on the machine then hits both, and neither has a processor, a frequency or a heap of its own. What a process does
 * to one of the two for good (which was loaded first, where its memory lies) differs from process to process: so there
 * are several, and in every other one the builds change places.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyBuilds } from './failpoints/builds.js';
import { lowerBound } from './failpoints/lower-bound.js';
import { spread } from './rounds.js';

const PROCESSES = 8;
const PAIRS = 12;
/** With so much confidence, the build as it is has at least this part of the other's rate. */
const CONFIDENCE = 0.95;
const LEAST = 0.93;

const folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const { whole, bare, removed } = copyBuilds(folder);
console.log(`${removed} failpoints and the heartbeat taken out; ${PROCESSES} processes of ${PAIRS} pairs each`);

/** For each question the rate of the build as it is, as a part of the other's, pair by pair. */
const ratios = { getSession: [], newSession: [] };
for (let n = 0; n < PROCESSES; n++) {
  const isWholeFirst = n % 2 === 0;
  const took = await measure(isWholeFirst ? [whole, bare] : [bare, whole]);
  for (const [question, pairs] of Object.entries(took)) {
    for (const [a, b] of pairs) ratios[question].push(isWholeFirst ? b / a : a / b);
  }
}
let missed = 0;
for (const [what, values] of [
  ['getSession, 1,000 cookies in turn', ratios.getSession],
  ['newSession, 256 in flight', ratios.newSession],
]) {
  const bound = lowerBound(values, CONFIDENCE);
  if (!(bound >= LEAST)) missed++;
  const { median, min, max } = spread(values);
  const [middle, low, high, least] = [median, min, max, bound].map((value) => value.toFixed(3));
  const verdict = `at least ${LEAST}: ${bound >= LEAST ? 'met' : 'MISSED'}`;
  console.log(`${what.padEnd(34)} median ratio ${middle} (${low}–${high}, ${values.length} pairs)`);
  console.log(`${''.padEnd(34)} 95 % lower bound of the median ${least}, ${verdict}`);
}
process.exitCode = missed === 0 ? 0 : 1;

async function measure([a, b]) {
  const path = fileURLToPath(new URL('./failpoints/pairs.js', import.meta.url));
  const child = fork(path, [a, b, String(PAIRS)], { execArgv: ['--expose-gc'] });
  const exited = once(child, 'exit');
  const [took] = await Promise.race([
    once(child, 'message'),
    exited.then(([status]) => {
      throw new Error(`a process of pairs ended with ${status}`);
    }),
  ]);
  await exited;
  return took;
}
