/**
 * Drives a real session manager by the requests of a log, at the log's own times. Runs in the main thread, beside the
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

/** What the settings would have meant for the site of this log, and what finding out took. */
export interface ReplayResult {
  readonly requests: number;
  readonly clients: number;
  readonly opened: number;
  /** Most sessions alive at once. */
  readonly peak: number;
  readonly endedIdle: number;
  readonly endedByAge: number;
  /** At the last request. */
  readonly alive: number;
  readonly skippedLines: number;
  /** From the manager's start to the last answer, the reading of the log not counted. */
  readonly seconds: number;
  readonly lookups: number;
  /** Calls that the manager's thread served; a lookup is none. */
  readonly calls: number;
}

export interface ReplayWatch {
  /** Points of time, at equal intervals over the log, at which live sessions are counted as well. Default 0. */
  readonly points?: number;
  /** Told how many requests are done, once for each second of the log that has any. */
  readonly progress?: (requests: number) => void;
}

/** Ended sessions that may lie in the table before they are swept out. */
const SLACK = 32_768;
/** New sessions asked for at once. */
const TOGETHER = 1024;
/** Of the table's memory, at most, for one session without data. Only what is used is taken. */
const SESSION_BYTES = 512;

/**
 * Replays a sorted log of one request at least. The series has one count of live sessions for each point asked for: the
 * highest found between it and the point before.
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
    // A log of a single instant has but one point.
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
        // Whoever came in a second is in before the clock moves on.
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
 * Counts the living, as seldom as will do. Only an opening raises their number, so since the last count they are at
 * most that count and the openings since; while this is not above the peak, the peak stands and nothing needs to be
 * asked.
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
   * The points of time before this one that have not been passed yet; each is the current one while the caller has it.
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
