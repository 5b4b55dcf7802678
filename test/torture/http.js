/**
 * The long campaign over HTTP: requests whose session is ended under them, in as many orders as it is given for each
 * adapter; and a million cookies of rubbish. Prints what it ran.
 */

import { compiled } from './compiled.js';

/** Of each kind, and by how many bytes they may make the heap grow. */
const COOKIES = 1_000_000;
const MOST_GROWTH = 8 * 2 ** 20;

/** Returns what is wrong, as texts. */
export async function tortureHttp(schedules, seed) {
  const wrong = [];
  const [{ endWhileUsed }, { sites }, { presentRubbish }] = await compiled(
    'test/http/schedules.ts',
    'test/http/sites.ts',
    'test/http/rubbish.ts',
  );
  for (const site of sites) {
    try {
      const began = performance.now();
      const ran = await endWhileUsed(site, schedules, seed);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(
        `${site.name.padEnd(20)} ${ran.schedules} schedules: ${ran.done} steps done, ${ran.refused} refused, ${ran.renewed} with a token that was due (${seconds} s)`,
      );
      if (ran.schedules < schedules) wrong.push(`${site.name}: ${ran.schedules} schedules, not ${schedules}`);
      if (Math.min(ran.done, ran.refused, ran.renewed) === 0) wrong.push(`${site.name}: not every case was met`);
    } catch (error) {
      wrong.push(`${site.name}: ${error.stack}`);
    }
  }
  const { random, nearMisses, hits, created, growth } = await presentRubbish(COOKIES, seed);
  console.log(
    `cookies              ${random} random, ${nearMisses} near misses: ${hits} hits, ${created} sessions made, heap grown by ${growth} bytes`,
  );
  if (random < COOKIES || nearMisses < COOKIES) wrong.push('fewer cookies than it says');
  if (hits > 0 || created > 0) wrong.push(`${hits} hits, ${created} sessions made`);
  if (growth > MOST_GROWTH) wrong.push(`the heap has grown by ${growth} bytes`);
  return wrong;
}
