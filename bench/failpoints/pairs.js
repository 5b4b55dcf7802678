/**
 * A process with a manager of each build, measured in turns: A B B A, B A A B, A B B A … so that what grows or fades
 * within a pair hits both alike. Arguments: the folders of A and B, and how many pairs. Posts, for each question, the
 * milliseconds that A and B took, pair by pair.
 */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { shopData, smallData } from '../data.js';
import { windowed } from '../window.js';

const COOKIES = 1000;
/** Operations of one turn: some hundredths of a second. */
const LOOKUPS = 150_000;
const NEW_SESSIONS = 6000;
const IN_FLIGHT = 256;

const [a, b, pairs] = process.argv.slice(2);
const builds = [await open(a, 'A'), await open(b, 'B')];
const questions = ['getSession', 'newSession'];
const took = Object.fromEntries(questions.map((question) => [question, []]));
// The first two pairs only warm up.
for (let pair = -2; pair < Number(pairs); pair++) {
  const order = pair % 2 === 0 ? [0, 1, 1, 0] : [1, 0, 0, 1];
  for (const question of questions) {
    const times = [0, 0];
    for (const which of order) times[which] += await builds[which][question]();
    if (pair >= 0) took[question].push(times);
  }
}
for (const { manager } of builds) await manager.stop();
process.send(took);
process.disconnect();

async function open(folder, name) {
  const { startSessionManager } = await import(pathToFileURL(join(folder, 'dist/src/index.js')).href);
  const manager = await startSessionManager({ name });
  const sessions = await Promise.all(Array.from({ length: COOKIES }, () => manager.newSession({ data: shopData })));
  const cookies = sessions.map((session) => manager.getCookieData(session).value);
  return {
    manager,

    /** Milliseconds of lookups that this thread has made before, each cookie in turn. */
    async getSession() {
      globalThis.gc();
      const before = performance.now();
      for (let i = 0, at = 0; i < LOOKUPS; i++) {
        if (manager.getSession(cookies[at]) === undefined) throw new Error('missed');
        if (++at === COOKIES) at = 0;
      }
      return performance.now() - before;
    },

    /** Milliseconds of new sessions, each that is done starting the next. */
    async newSession() {
      globalThis.gc();
      const made = [];
      const before = performance.now();
      await windowed(NEW_SESSIONS, IN_FLIGHT, (_, done) => {
        manager.newSession({ data: smallData }).then((session) => {
          made.push(session);
          done();
        });
      });
      const until = performance.now();
      await Promise.all(made.map((session) => session.close()));
      await manager.sweep();
      return until - before;
    },
  };
}
