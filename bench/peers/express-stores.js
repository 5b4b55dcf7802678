/** What all stores of express-session have in common: `get` and `set` with callbacks, and a cookie beside the data. */

import { windowed } from '../window.js';

/** `store` as express-session calls it. An operation is over when its callback has run. */
export function expressPeer(name, store, { clear, close = async () => {} }) {
  let filled = 0;
  const set = (id, data, done) =>
    store.set(id, { cookie, ...data }, (error) => {
      if (error) throw error;
      done();
    });
  const get = (keys, count, width, read) =>
    windowed(count, width, (i, done) => {
      store.get(keys[i % keys.length], (error, data) => {
        if (error || !data || (read && data.name === undefined)) throw error ?? new Error('missed');
        done();
      });
    });
  return {
    name,

    async fill(count, data) {
      const ids = Array.from({ length: count }, newId);
      await windowed(count, 256, (i, done) => set(ids[i], data, done));
      return ids;
    },

    get: (keys, count, width) => get(keys, count, width, false),
    getAndRead: (keys, count, width) => get(keys, count, width, true),

    /** Under ids that are there already: drawing them is express-session's work, not the store's. */
    async create(data, count, width) {
      const ids = Array.from({ length: count }, newId);
      const before = performance.now();
      await windowed(count, width, (i, done) => set(ids[i], data, done));
      return performance.now() - before;
    },

    set: (keys, data, count, width) => windowed(count, width, (i, done) => set(keys[i % keys.length], data, done)),
    clear,
    close,
  };

  function newId() {
    return `${(filled++).toString(36)}`.padStart(32, 'N1tRT6zvKqG0JYRhBz4sWmXoPc7dUeAf');
  }
}

/** As express-session keeps it in each session. */
const cookie = {
  originalMaxAge: 1_800_000,
  expires: new Date(Date.now() + 86_400_000),
  httpOnly: true,
  path: '/',
};
