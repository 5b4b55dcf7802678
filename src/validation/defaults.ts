/**
 * What holds where nothing else is said: every default of the package. Read in the threads that start a manager or join
 * one.
 */

import { totalmem } from 'node:os';

const GiB = 2 ** 30;

export const defaults = {
  name: 'default',
  idleTimeout: '30m',
  absoluteTimeout: '8h',
  maxSessions: 1_000_000,
  maxBytes: Math.min(GiB, Math.floor(totalmem() / 4)),
  /** `maxBytes` where that is less. */
  maxSessionBytes: 64 * 1024,
  whenFull: 'reject',
  /** No limit. */
  maxSessionsPerUser: Number.POSITIVE_INFINITY,
  whenOverLimit: 'end-oldest',
  /** Every second. */
  sweep: '* * * * * *',
  callTimeout: '5s',
  /**
   * Of the manager's thread. V8 lets the young generation of a busy thread grow to its limit, 103 MB on Node 24, whether
   * or not that makes its collections fewer. The manager's garbage is short-lived: `set` and `newSession` with 256 in
   * flight took within 2 % of the same time with 16, 24 and 32 MB as with V8's own limit.
   */
  resourceLimits: { maxYoungGenerationSizeMb: 24 },
  restarts: { most: 5, within: '10s' },
  /** Of `rotate`. */
  grace: '10s',
  /** Of `rotation`, where no request waits for it: a browser may be away for a moment when its new token comes. */
  rotationGrace: '1m',
  whenReused: 'report',
  cookie: {
    name: '__Host-id',
    /** Browsers take `__Host-` from secure cookies only. */
    nameUnlessSecure: 'id',
    format: 'opaque',
    /** Of the format 'jwt'. */
    algorithm: 'EdDSA',
    secure: true,
    sameSite: 'lax',
    path: '/',
    partitioned: false,
    persistent: true,
  },
} as const;
