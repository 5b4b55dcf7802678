/** What all stores of express-session have in common: `get` and `set` with callbacks, and a cookie beside the data. */

import session from 'express-session';
import uid from 'uid-safe';
import { windowed } from '../window.js';

const MAX_AGE = 1_800_000;

/** `store` as express-session calls it. An operation is over when its callback has run. */
export function expressPeer(name, store, { clear, close = async () => {} }) {
  let filled = 0;
  const put = (id, given, done) =>
    store.set(id, given, (error) => {
      if (error) throw error;
      done();
    });
  const set = (id, data, done) => put(id, sessionOf(id, data), done);
  const get = (keys, count, width, read) =>
    windowed(count, width, (i, done) => {
      store.get(keys[i % keys.length], (error, data) => {
        if (error || !data || (read && data.name === undefined)) throw error ?? new Error('missed');
        done();
      });
    });
  // As the middleware does it.
  store.generate = (request) => {
    request.sessionID = uid.sync(24);
    request.session = new session.Session(request);
    request.session.cookie = new session.Cookie({ maxAge: MAX_AGE });
  };
  return {
    name,

    async fill(count, data) {
      const ids = Array.from({ length: count }, newId);
      await windowed(count, 256, (i, done) => set(ids[i], data, done));
      return ids;
    },

    get: (keys, count, width) => get(keys, count, width, false),
    getAndRead: (keys, count, width) => get(keys, count, width, true),

    /**
     * `set` alone: ids and sessions are there beforehand, as making them is express-session's work and not the store's.
     */
    async create(data, count, width) {
      const sessions = Array.from({ length: count }, () => sessionOf(newId(), data));
      const before = performance.now();
      await windowed(count, width, (i, done) => put(sessions[i].id, sessions[i], done));
      return performance.now() - before;
    },

    async set(keys, data, count, width) {
      const sessions = keys.map((id) => sessionOf(id, data));
      const before = performance.now();
      await windowed(count, width, (i, done) => put(keys[i % keys.length], sessions[i % keys.length], done));
      return performance.now() - before;
    },

    /** A whole new session, as express-session makes it for a request: id, cookie, session, and `set`. */
    createWhole: (data, count, width) =>
      windowed(count, width, (_, done) => {
        const request = { sessionStore: store };
        store.generate(request);
        put(request.sessionID, Object.assign(request.session, data), done);
      }),
    clear,
    close,
  };

  function newId() {
    return `${(filled++).toString(36)}`.padStart(32, 'N1tRT6zvKqG0JYRhBz4sWmXoPc7dUeAf');
  }
}

/** What express-session hands to its store: a Session with its Cookie and the data. */
function sessionOf(id, data) {
  const made = new session.Session({ sessionID: id });
  made.cookie = new session.Cookie({ maxAge: MAX_AGE });
  return Object.assign(made, data);
}
