/**
 * Drives a real session manager by the requests of a log, at the times of the log. Runs in the main thread, beside the
 * manager's.
 */

import { type SessionManager, startSessionManager } from '../index.js';
import { createManualClock } from '../testing.js';
import type { RequestLog } from './request-log.js';

export interface ReplaySettings {
  /** Milliseconds; false for never. */
  readonly idleTimeout: number | false;
  readonly absoluteTimeout: number | false;
}

/** What the settings would have meant for the site of the log, and what the replay cost. */
export interface ReplayResult {
  readonly requests: number;
  readonly clients: number;
  readonly opened: number;
  /** The largest number of sessions alive at a time. */
  readonly peak: number;
  readonly endedIdle: number;
  readonly endedByAge: number;
  /** Sessions alive at the last request. */
  readonly alive: number;
  readonly skippedLines: number;
  /** From the manager's start to its last reply, without reading the log. */
  readonly seconds: number;
  readonly lookups: number;
  /** Calls that the manager thread served. Lookups are none. */
  readonly calls: number;
}

export interface ReplayWatch {
  /** At so many times, at equal intervals over the log, live sessions are counted as well. Default 0. */
  readonly points?: number;
  /** Called with the number of requests that are done, once for each second of the log that has any. */
  readonly progress?: (requests: number) => void;
}

/** The number of ended sessions that may be in the table before it is swept. */
const SLACK = 32_768;
/** New sessions that are requested at the same time. */
const TOGETHER = 1024;
/** The most table memory that a session without data takes. Only what is used is allocated. */
const SESSION_BYTES = 512;

/**
 * Replays a sorted log with at least one request. The series has a value for each of `points`: the highest number of
 * live sessions counted between it and the point before.
 */
export async function replayLog(
  log: RequestLog,
  settings: ReplaySettings,
  watch: ReplayWatch = {},
): Promise<{ result: ReplayResult; series: number[] }> {
  const started = performance.now();
  const clock = createManualClock(log.at(0) * 1000);
  const maxSessions = Math.min(log.clients + SLACK, 16_000_000);
  const manager = await startSessionManager({
    name: 'coatcheck replay',
    ...settings,
    clock,
    maxSessions,
    maxBytes: Math.max(maxSessions * SESSION_BYTES, 2 ** 26),
    callTimeout: '60s',
  });
  try {
    const last = log.at(log.length - 1);
    // A log in which all requests have the same time has one point at most.
    const points = last > log.at(0) ? (watch.points ?? 0) : Math.min(watch.points ?? 0, 1);
    const census = new Census(manager, log.at(0), last, points);
    const cookies: (string | undefined)[] = [];
    let opened = 0;
    let opening = new Map<number, Promise<void>>();
    const open = async (client: number) => {
      const session = await manager.newSession();
      cookies[client] = manager.getCookieData(session).value;
      opened += 1;
    };
    const settle = async () => {
      const count = opening.size;
      await Promise.all(opening.values());
      opening = new Map();
      await census.opened(count);
    };

    for (let position = 0; position < log.length; position += 1) {
      const at = log.at(position);
      const client = log.client(position);
      if (position > 0 && at > log.at(position - 1)) {
        // All sessions of a second are created before the clock moves on.
        if (opening.size > 0) await settle();
        for (const point of census.pointsUntil(at)) {
          clock.set(Math.floor(point * 1000));
          await census.count();
        }
        clock.set(at * 1000);
        watch.progress?.(position);
      }
      if (opening.has(client) || opening.size === TOGETHER) await settle();
      if (manager.getSession(cookies[client]) === undefined) opening.set(client, open(client));
    }
    await settle();
    const { sessions, ended, calls } = await census.count();

    const result: ReplayResult = {
      requests: log.length,
      clients: log.clients,
      opened,
      peak: census.peak,
      endedIdle: ended.idle,
      endedByAge: ended.expired,
      alive: sessions,
      skippedLines: log.skippedLines,
      seconds: Math.round(performance.now() - started) / 1000,
      lookups: log.length,
      calls: calls.count,
    };
    return { result, series: census.series };
  } finally {
    await manager.stop();
  }
}

/**
 * Counts live sessions as seldom as possible. Only new sessions raise their number: since the last count, there are at
 * most that many and the new ones. As long as this is not above the peak, no count is needed.
 */
class Census {
  peak = 0;
  readonly series: number[];

  readonly #manager: SessionManager;
  readonly #first: number;
  readonly #interval: number;
  #point = 0;
  #most = 0;
  #sinceSweep = 0;

  constructor(manager: SessionManager, first: number, last: number, points: number) {
    this.#manager = manager;
    this.#first = first;
    this.#interval = (last - first) / points;
    this.series = new Array<number>(points).fill(0);
  }

  async opened(count: number): Promise<void> {
    this.#most += count;
    this.#sinceSweep += count;
    if (this.#most > this.peak || this.#sinceSweep > SLACK - TOGETHER) await this.count();
  }

  async count() {
    // Made in one tick, the two calls travel together and are done in this order.
    const [, stats] = await Promise.all([this.#manager.sweep(), this.#manager.stats()]);
    this.peak = Math.max(this.peak, stats.sessions);
    this.#most = stats.sessions;
    this.#sinceSweep = 0;
    const counted = this.series[this.#point];
    if (counted !== undefined) this.series[this.#point] = Math.max(counted, stats.sessions);
    return stats;
  }

  /**
   * The points before `at` that have not been passed. Each is the current point until the caller asks for the next one.
   */
  *pointsUntil(at: number): Generator<number> {
    for (;;) {
      const point = this.#first + (this.#point + 1) * this.#interval;
      if (this.#point + 1 >= this.series.length || point >= at) return;
      yield point;
      this.#point += 1;
    }
  }
}
