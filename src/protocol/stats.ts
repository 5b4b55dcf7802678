/** The manager's statistics, and how they travel. Used in every thread. */

import type { ByteReader, ByteWriter } from './bytes.js';
import { REASONS, type Reason } from './notices.js';

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Sizes in bytes, call times in microseconds, delays in milliseconds. */
export interface Stats {
  readonly sessions: number;
  readonly bytesUsed: number;
  readonly bytesReserved: number;
  readonly connections: number;
  readonly created: number;
  readonly ended: Readonly<Record<Reason, number>>;
  readonly restarts: number;
  readonly calls: Spread & { readonly count: number };
  readonly eventLoopDelay: Spread;
}

export function writeStats(to: ByteWriter, stats: Stats): void {
  const { sessions, bytesUsed, bytesReserved, connections, created, ended, restarts, calls, eventLoopDelay } = stats;
  for (const count of [sessions, bytesUsed, bytesReserved, connections, created, restarts]) to.f64(count);
  for (const reason of REASONS) to.f64(ended[reason]);
  for (const figure of [calls.count, calls.p50, calls.p99, calls.max]) to.f64(figure);
  for (const figure of [eventLoopDelay.p50, eventLoopDelay.p99, eventLoopDelay.max]) to.f64(figure);
}

export function readStats(from: ByteReader): Stats {
  return {
    sessions: from.f64(),
    bytesUsed: from.f64(),
    bytesReserved: from.f64(),
    connections: from.f64(),
    created: from.f64(),
    restarts: from.f64(),
    ended: Object.fromEntries(REASONS.map((reason) => [reason, from.f64()])) as Record<Reason, number>,
    calls: { count: from.f64(), p50: from.f64(), p99: from.f64(), max: from.f64() },
    eventLoopDelay: { p50: from.f64(), p99: from.f64(), max: from.f64() },
  };
}
