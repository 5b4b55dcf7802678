/**
 * Calls that come alone, beside the bare echo: a program of its own, so that all its threads can be pinned to one
 * processor. Run by `questions/alone.js`; prints its rows as JSON.
 */

import { compare } from './compare.js';
import { shopData, smallData } from './data.js';
import { openBareEcho } from './peers/bare-echo.js';
import { openCoatcheck } from './peers/coatcheck.js';

const coatcheck = await openCoatcheck();
const echo = openBareEcho();
const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Resolves to milliseconds, as what is compared does. `run` does so many operations. */
const byTheClock = (run) => async (count) => {
  const before = performance.now();
  await run(count);
  return performance.now() - before;
};
/** The same by the processor time of all threads of this process. */
const byTheProcessor = (run) => async (count) => {
  const before = process.cpuUsage();
  await run(count);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};
const afterPauses = (run) => async (count) => {
  let took = 0;
  for (let i = 0; i < count; i++) {
    await pause();
    took += await byTheClock(run)(1);
  }
  return took;
};
/** What was made is taken away again, and not measured. */
const thenCleared = (measured) => async (count) => {
  const took = await measured(count);
  await coatcheck.clear();
  return took;
};

const newSession = (count) => coatcheck.create(smallData, count, 1);
const set = (keys) => (count) => coatcheck.set(keys, { visits: count }, count, 1);
const call = (count) => echo.call(count, 1);

const beside = (what, measured, run, { count = 500, bar, clear = false } = {}) =>
  compare({
    what,
    ours: clear ? thenCleared(measured(run)) : measured(run),
    peer: echo.name,
    theirs: [measured(call)],
    count,
    times: 'as long',
    ...(bar === undefined ? {} : { bar }),
  });

const rows = [
  await beside('newSession, alone', byTheClock, newSession, { clear: true, bar: 2.5 }),
  await beside('newSession, alone: processor time', byTheProcessor, newSession, { clear: true, bar: 2.5 }),
  await beside('newSession, alone after a pause', afterPauses, newSession, { clear: true, count: 200 }),
];
const keys = await coatcheck.fill(1000, shopData);
rows.push(
  await beside('set, alone', byTheClock, set(keys)),
  await beside('set, alone: processor time', byTheProcessor, set(keys)),
);
console.log(JSON.stringify(rows));
await coatcheck.close();
await echo.close();
