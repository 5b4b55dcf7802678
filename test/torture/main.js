/**
 * The long campaign: managers that die under load, frames of every shape, and managers started and stopped in turn, as
 * much of each as it is told; 0 leaves a part out. Prints its seed and what it really did, and fails if anything went
 * wrong or if it did less than it says. `npm run torture -- --minutes 20 --seed 7`. With `--http` it is the adapters'
 * campaign instead: see `http.js`; with `--large` that of the largest sizes: see `large.js`.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { killManagers } from './campaigns.js';
import { sendFrames } from './frames.js';
import { tortureHttp } from './http.js';
import { tortureLarge } from './large.js';
import { wrongWith } from './managers.js';
import { wrongWithResident } from './resident.js';

const number = (text) => {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError('a number from 0 on');
  return value;
};
const { minutes, frames, managers, seed, http, schedules, large, sessions } = new Command('torture')
  .option('--minutes <number>', 'how long managers are killed', number, 1)
  .option('--frames <number>', 'how many frames are sent', number, 10_000_000)
  .option(
    '--managers <number>',
    'how many managers are started and stopped in turn, and twenty times as many connections',
    number,
    1000,
  )
  .option('--http', 'requests instead of managers')
  .option('--schedules <number>', 'with --http: how many for each adapter', number, 20_000)
  .option('--large', 'operations on millions of sessions at once, instead of deaths')
  .option('--sessions <number>', 'with --large: how many', number, 3_000_000)
  .option('--seed <number>', 'what to draw from', number, Math.floor(Math.random() * 2 ** 31))
  .parse()
  .opts();
let what = `${minutes} minutes, ${frames} frames, ${managers} managers`;
if (http) what = `${schedules} schedules for each adapter`;
if (large) what = `operations on ${sessions} sessions`;
console.log(`torture: ${what}, --seed ${seed}`);

const wrong = await torture();
for (const text of wrong.slice(0, 20)) console.log(`WRONG: ${text}`);
console.log(`${wrong.length === 0 ? 'passed' : 'FAILED'}: ${wrong.length} wrong, --seed ${seed}`);
process.exitCode = wrong.length === 0 ? 0 : 1;

function torture() {
  if (large) return tortureLarge(sessions);
  return http ? tortureHttp(schedules, seed) : tortureManagers();
}

async function tortureManagers() {
  const found = [];
  if (minutes > 0) found.push(...(await killManagers(minutes, seed)));
  if (frames > 0) found.push(...(await tryFrames()));
  if (managers > 0) found.push(...(await tryManagers()));
  return found;
}

async function tryFrames() {
  const { sent, answers, strange, calls, wrong: found } = await sendFrames(frames, seed);
  console.log(
    `frames          ${sent}: answered ${answers}; sessions made by them ${strange}; turns of others beside them ${calls}`,
  );
  return sent < frames ? [...found, `LESS than it says: ${sent} frames`] : found;
}

/** In a process of their own, in which nothing else comes and goes. */
async function tryManagers() {
  const program = fileURLToPath(new URL('./managers.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, `${managers}`]);
  const found = JSON.parse(stdout);
  console.log(`managers        ${found.started}, in turn: ${stdout.trim()}`);
  const wrong = [...wrongWith(found), ...(await tryResident())];
  return found.started < managers ? [...wrong, `LESS than it says: ${found.started} managers`] : wrong;
}

/** How resident memory grows: by 20,000 connections and 500 managers of default size, with `--managers 1000`. */
async function tryResident() {
  const program = fileURLToPath(new URL('./resident.js', import.meta.url));
  const wrong = [];
  for (const [what, count] of Object.entries({
    connects: managers * 20,
    starts: Math.ceil(managers / 2),
    fills: 1000,
  })) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, what, `${count}`]);
    console.log(`resident        ${what}: ${stdout.trim()}`);
    wrong.push(...wrongWithResident(what, count, JSON.parse(stdout)));
  }
  return wrong;
}
