/** Where sessions are kept beside memory, as the public face names it. */

import type { Duration } from './basic.js';

/** Embedded, durable, no server: sessions survive the process and its crash. */
export interface LmdbStoreOptions {
  type: 'lmdb';
  path: string /** Default 'commit' (survives SIGKILL); 'sync' also survives power loss. */;
  durability?: 'commit' | 'sync';
}
/** Redis or Valkey, single, Sentinel or Cluster: sessions shared by many machines. */
export interface RedisStoreOptions {
  type: 'redis';
  url: string | readonly string[];
  prefix?: string;
  /** How long a cut-off machine may go on trusting its copy. Default '0s': not at all. */
  staleFor?: Duration;
}
