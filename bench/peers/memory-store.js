/** express-session's MemoryStore: an object of JSON texts in the same thread. */

import session from 'express-session';
import { expressPeer } from './express-stores.js';

export function openMemoryStore() {
  const store = new session.MemoryStore();
  return expressPeer('MemoryStore', store, {
    clear: () => new Promise((resolve) => store.clear(resolve)),
  });
}
