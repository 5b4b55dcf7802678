/**
 * As many campaigns as it takes to fill the time: one, unless Node itself comes to an end in it. Prints what they
 * really did, and returns what is wrong, as texts: if anything went wrong, or if they did less than they say.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * What must have been done for each minute of processor time that a campaign was given, which on a busy machine is
 * less than the minutes that went by: deaths, lookups, histories checked in which the manager died.
 */
const LEAST = { deaths: 40, lookups: 3_000_000, histories: 1 };
/**
 * How Node says that it has failed itself, when a thread ends while V8 compiles for it: in none of our code, and
 * nothing that a process survives.
 */
const NODE_FAILED = /Assertion failed: .*\n[\s\S]*Native stack trace/;

export async function killManagers(minutes, seed) {
  const until = performance.now() + minutes * 60_000;
  const done = [];
  const wrong = [];
  let failures = 0;
  for (let next = seed; ; next++) {
    const left = (until - performance.now()) / 60_000;
    if (left < 0.02) break;
    const { told, status, stderr } = await campaign(left, next);
    if (told !== undefined) done.push(told);
    if (status === 0) break;
    if (NODE_FAILED.test(stderr)) failures++;
    else {
      wrong.push(`a campaign ended with ${status}: ${stderr.slice(-2000)}`);
      break;
    }
  }
  if (failures > 0) console.log(`Node's own failures, the process with them: ${failures}`);
  wrong.push(...done.flatMap((each) => each.wrong));
  if (done.length === 0) return [...wrong, 'nothing was done'];
  report(done, wrong);
  return wrong;
}

/** One campaign: what it told last, and how it ended. */
async function campaign(minutes, seed) {
  const child = fork(new URL('./campaign.js', import.meta.url), [`${minutes}`, `${seed}`], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  let told;
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.on('message', (message) => {
    told = message;
    if (process.stdout.isTTY) process.stdout.write(`\r${sum(Object.values(told.ways))} deaths `);
  });
  const [code, signal] = await once(child, 'close');
  return { told, status: signal ?? code, stderr };
}

function report(done, wrong) {
  const counted = done.flatMap((each) => each.counted);
  const total = (what) => sum(counted.map((counts) => counts[what]));
  const ways = added(done.map((each) => each.ways));
  const deaths = sum(Object.values(ways));
  const { hang = 0 } = ways;
  const hangsNoticed = sum(done.map((each) => each.hangsNoticed));
  const cpuMinutes = sum(done.map((each) => each.cpuMinutes));
  const histories = added(done.map((each) => each.histories));
  const lookups = total('lookups');
  console.log(`\nprocessor time  ${cpuMinutes.toFixed(1)} minutes`);
  console.log(`deaths          ${deaths}: ${JSON.stringify(ways)}; hangs noticed: ${hangsNoticed}`);
  console.log(`calls           ${total('calls')}: created ${total('created')}, closed ${total('closed')}`);
  const refused = added(counted.map((counts) => counts.refused));
  console.log(`refused         ${JSON.stringify(refused)}, unknown ${total('unknown')}`);
  console.log(`lookups         ${lookups}`);
  const { histories: checked, withDeaths, operations, unknown } = histories;
  console.log(
    `histories       ${checked} checked, ${withDeaths} with deaths in them: ${operations} operations, ${unknown} of unknown outcome`,
  );
  const [service, bare] = ['service', 'bare'].map((what) => done.flatMap((each) => each.took[what]));
  for (const [name, values] of [
    ['death to service', service],
    ['bare Worker     ', bare],
  ]) {
    const [p50, p99] = [0.5, 0.99].map((part) => quantile(values, part).toFixed(1));
    console.log(`${name} p50 ${p50} ms, p99 ${p99} ms (${values.length})`);
  }
  const ratio = quantile(service, 0.99) / quantile(bare, 0.99);
  console.log(`ratio of p99    ${ratio.toFixed(2)} (at most 3)`);
  if (hangsNoticed !== hang) wrong.push(`${hang} hangs, of which ${hangsNoticed} were noticed`);
  const least = [deaths < LEAST.deaths * cpuMinutes, lookups < LEAST.lookups * cpuMinutes];
  if (least.includes(true) || withDeaths < Math.max(1, Math.floor(LEAST.histories * cpuMinutes))) {
    const { deaths: kills, lookups: looks, histories: records } = LEAST;
    wrong.push(
      `LESS than it says: at least ${kills} deaths, ${looks} lookups and ${records} histories with deaths a minute of processor time`,
    );
  }
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Objects of numbers, added key by key. */
function added(objects) {
  const totals = {};
  for (const each of objects) for (const [key, count] of Object.entries(each)) totals[key] = (totals[key] ?? 0) + count;
  return totals;
}

function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
