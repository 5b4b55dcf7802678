/**
 * Frames of every shape, from two threads at once, while the main thread goes on with its sessions: what the manager is
 * like afterwards. Main thread. Returns what was really sent, and what is wrong, as texts.
 */

import { once } from 'node:events';
import { MessageChannel, postMessageToThread, Worker } from 'node:worker_threads';
import { startSessionManager } from '../../dist/src/index.js';
import { HEADER } from '../../dist/src/protocol/layout.js';
import { dataOf, proves, randomNumbers } from '../fixtures/ledger.js';

const fixture = (name) => new URL(`../fixtures/${name}.js`, import.meta.url);
const THREADS = 2;
/** Sessions of the thread that does as it should. */
const SESSIONS = 200;
/** How much more memory the manager may use afterwards, in bytes. */
const MOST_GROWTH = 24 * 2 ** 20;

export async function sendFrames(count, seed) {
  const wrong = [];
  // Waiting for another thread keeps this one not alive.
  const alive = setInterval(() => {}, 1000);
  const manager = await startSessionManager({
    maxSessions: 20_000,
    maxBytes: 100_000_000,
    maxSessionBytes: 4096,
    worker: fixture('manager-that-shows-its-globals'),
  });
  const { memory } = manager.createTicket();
  const managerThread = () => Atomics.load(new Int32Array(memory.header), HEADER.threadId);
  const ask = async (what) => {
    const { port1, port2 } = new MessageChannel();
    await postMessageToThread(managerThread(), { [what]: port2 }, [port2]);
    const [answer] = await once(port1, 'message');
    port1.close();
    return answer;
  };
  const random = randomNumbers(seed);
  const held = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, key) => {
      const session = await manager.newSession({ data: dataOf(`${key}`, 0), userId: `user ${key % 10}` });
      return { key: `${key}`, session, cookie: manager.getCookieData(session).value, n: 0 };
    }),
  );
  const before = { globals: JSON.stringify(await ask('showTo')), ...(await ask('memoryTo')) };
  // What a thread hears of the others' sessions is told to it as well.
  let heard = 0;
  let strange = 0;
  for (const event of ['created', 'changed', 'ended', 'token-rotated']) manager.on(event, () => heard++);
  manager.on('created', ({ session: { id } }) => lookAtStrange(id));
  manager.on('restarted', ({ cause }) => wrong.push(`the manager died: ${cause.stack}`));

  let isSending = true;
  const sending = Promise.all(Array.from({ length: THREADS }, (_, i) => share(i)));
  const using = use();
  const told = await sending;
  isSending = false;
  const calls = await using;
  await check();
  await manager.stop();
  clearInterval(alive);
  const sum = (what) => told.reduce((all, each) => all + each[what], 0);
  return { sent: sum('sent'), answers: sum('answers'), calls, heard, strange, wrong };

  /** Has a thread send its part. */
  async function share(i) {
    const part = Math.floor(count / THREADS) + (i < count % THREADS ? 1 : 0);
    const worker = new Worker(fixture('sends-frames'), {
      workerData: { managerThread: managerThread(), count: part, seed: seed + i },
    });
    const [[answer]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    return answer;
  }

  /** Changes sessions, and makes and closes others, as long as frames are sent. */
  async function use() {
    let done = 0;
    for (; isSending; done++) {
      const one = held[Math.floor(random() * held.length)];
      try {
        await one.session.set(dataOf(one.key, one.n + 1));
        one.n++;
        const passing = await manager.newSession({ data: { passing: true } });
        await passing.close();
        look(one);
      } catch (error) {
        wrong.push(`a call was refused: ${error.stack}`);
        break;
      }
    }
    return done;
  }

  function look({ key, session, cookie, n }) {
    const found = manager.getSession(cookie);
    if (found !== session) wrong.push(`${key} is missing`);
    else if (!proves(found.data) || found.data.key !== key || found.data.n !== n) wrong.push(`${key} is not as it was`);
    else if (found.version !== n || found.userId !== `user ${key % 10}`) wrong.push(`${key} is not as it was`);
  }

  /** What frames have made is read as any session is: by now it may have ended, and what it holds may be no data. */
  function lookAtStrange(id) {
    try {
      const session = manager.getSessionById(id);
      if (session !== undefined) [session.data, session.client, session.userId, session.expiresAt, session.signal];
      strange++;
    } catch (error) {
      if (!['ERR_SESSION_ENDED', 'ERR_INVALID_DATA'].includes(error.code))
        wrong.push(`a strange session: ${error.stack}`);
    }
  }

  async function check() {
    for (const one of held) look(one);
    const ids = new Set();
    for await (const { id } of manager.getAllSessions()) ids.add(id);
    if (held.some(({ session }) => !ids.has(session.id))) wrong.push('a session is in no list');
    while ((await manager.stats()).connections !== 1);
    await manager.sweep();
    const { restarts, connections } = await manager.stats();
    if (restarts !== 0 || connections !== 1) wrong.push(`${restarts} restarts, ${connections} connections`);
    const after = { globals: JSON.stringify(await ask('showTo')), ...(await ask('memoryTo')) };
    if (after.globals !== before.globals) wrong.push(`globals were changed: ${after.globals}`);
    for (const what of ['heap', 'external']) {
      const growth = after[what] - before[what];
      if (growth > MOST_GROWTH) wrong.push(`${what} grew by ${growth} bytes`);
    }
  }
}
