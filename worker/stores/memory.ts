/** The store that keeps nothing: sessions live in the shared table and end with the process. Manager's thread. */

import type { SessionStore } from './contract.js';

export const memoryStore: SessionStore = {
  type: 'memory',
  async *load() {},
  commit: () => undefined,
  close: async () => {},
};
