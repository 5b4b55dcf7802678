/** This package. */

import { Worker } from 'node:worker_threads';
import { startSessionManager } from 'coatcheck';
import { windowed } from '../window.js';

export async function openCoatcheck() {
  const manager = await startSessionManager({ name: 'bench' });
  const reader = await startReader();
  const cookieOf = (session) => manager.getCookieData(session).value;
  return {
    name: 'coatcheck',

    /**
     * Sessions that are there before anything is measured. Held, as an application that has just used them holds them.
     */
    async fill(count, data) {
      const sessions = new Array(count);
      await windowed(count, 256, (i, done) => {
        manager.newSession({ data }).then((session) => {
          sessions[i] = session;
          done();
        });
      });
      return sessions.map((session) => ({ session, cookie: cookieOf(session) }));
    },

    async get(keys, count) {
      for (let i = 0, at = 0; i < count; i++) {
        if (manager.getSession(keys[at].cookie) === undefined) throw new Error('missed');
        if (++at === keys.length) at = 0;
      }
    },

    async getAndRead(keys, count) {
      for (let i = 0, at = 0; i < count; i++) {
        if (manager.getSession(keys[at].cookie).data.name === undefined) throw new Error('no data');
        if (++at === keys.length) at = 0;
      }
    },

    /** In a thread that has never seen these cookies; resolves to the milliseconds it took there. */
    getAtFirstSight: (keys) =>
      reader.ask({
        read: false,
        cookies: keys.map(({ cookie }) => cookie),
      }),
    getAndReadAtFirstSight: (keys) => reader.ask({ read: true, cookies: keys.map(({ cookie }) => cookie) }),

    create: (data, count, width) =>
      windowed(count, width, (_, done) => {
        manager.newSession({ data }).then(done);
      }),

    set: (keys, data, count, width) =>
      windowed(count, width, (i, done) => {
        keys[i % keys.length].session.set(data).then(done);
      }),

    clear: () => manager.closeAllSessions().then(() => manager.sweep()),

    async close() {
      await reader.close();
      await manager.stop();
    },
  };
}

async function startReader() {
  const worker = new Worker(new URL('./coatcheck-reader.js', import.meta.url));
  const answer = () => new Promise((resolve) => worker.once('message', resolve));
  await answer();
  return {
    ask(question) {
      worker.postMessage(question);
      return answer();
    },
    close: () => worker.terminate(),
  };
}
