/** All defaults of the package. Read in the threads that start or join a manager. */

import { totalmem } from 'node:os';

const GiB = 2 ** 30;

export const defaults = {
  name: 'default',
  idleTimeout: '30m',
  absoluteTimeout: '8h',
  maxSessions: 1_000_000,
  maxBytes: Math.min(GiB, Math.floor(totalmem() / 4)),
  /** Or `maxBytes`, if that is less. */
  maxSessionBytes: 64 * 1024,
  whenFull: 'reject',
  /** No limit. */
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'end-oldest',
  /** Every second. */
  sweep: '* * * * * *',
  callTimeout: '5s',
  /**
   * For the manager's thread. V8 lets the young generation of a busy thread grow to its limit, 103 MB on Node 24,
   * whether or not that makes collections fewer. The manager's garbage is short-lived: with 16, 24 and 32 MB, `set` and
   * `newSession` with 256 calls in flight took the same time within 2 % as with V8's own limit.
   */
  resourceLimits: { maxYoungGenerationSizeMb: 24 },
  restarts: { most: 5, within: '10s' },
  /** The grace of `rotate`. */
  grace: '10s',
  /**
   * The grace of the option `rotation`. Longer, as no request waits for this rotation: the browser may be offline when
   * its new token arrives.
   */
  rotationGrace: '1m',
  whenReused: 'report',
  cookie: {
    name: '__Host-id',
    /** Used without `secure`, as browsers accept `__Host-` for secure cookies only. */
    nameUnlessSecure: 'id',
    format: 'opaque',
    /** For the format 'jwt'. */
    algorithm: 'EdDSA',
    secure: true,
    sameSite: 'lax',
    path: '/',
    partitioned: false,
    persistent: true,
  },
} as const;
