/** The types of stores in the public API: where sessions are kept beside memory. */

import type { Duration } from './basic.js';

/** An embedded, durable store without a server: sessions survive the process and its crash. */
export interface LmdbStoreOptions {
  type: 'lmdb';
  path: string;
  /** Default 'commit': survives SIGKILL. 'sync': also survives a power loss. */
  durability?: 'commit' | 'sync';
}

/** Redis or Valkey, as a single server, Sentinel or Cluster: sessions shared by several machines. */
export interface RedisStoreOptions {
  type: 'redis';
  url: string | readonly string[];
  prefix?: string;
  /** How long a machine that is cut off from the store may go on using its copy. Default '0s': not at all. */
  staleFor?: Duration;
}
