/** Measures how long calls take, and how late the event loop is. Manager's thread. */

import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { HEADER } from '../../src/protocol/layout.js';
import type { Stats } from '../../src/protocol/stats.js';
import type { Sessions } from '../rules/sessions.js';
import type { Connections } from './connections.js';

/** Timer resolution that `monitorEventLoopDelay` adds to what it measures, in milliseconds. */
const RESOLUTION = 20;

/** Where the other figures come from. */
interface Measured {
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly bytesReserved: number;
}

export class Gauges {
  readonly #took = createHistogram();
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION });

  constructor() {
    this.#delay.enable();
  }

  /** Records how long a call took. */
  recordCall(milliseconds: number): void {
    this.#took.record(Math.max(1, Math.round(milliseconds * 1e6)));
  }

  stats({ sessions, connections, bytesReserved }: Measured): Stats {
    const took = this.#took;
    const delay = this.#delay;
    const microseconds = (nanoseconds: number) => (took.count === 0 ? 0 : nanoseconds / 1e3);
    const milliseconds = (nanoseconds: number) => (delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e6 - RESOLUTION));
    return {
      sessions: sessions.live,
      bytesUsed: sessions.table.bytesUsed,
      bytesReserved,
      connections: connections.count,
      created: sessions.created,
      ended: sessions.ended,
      restarts: sessions.table.view.header[HEADER.restarts] as number,
      calls: {
        count: took.count,
        p50: microseconds(took.percentile(50)),
        p99: microseconds(took.percentile(99)),
        max: microseconds(took.max),
      },
      eventLoopDelay: {
        p50: milliseconds(delay.percentile(50)),
        p99: milliseconds(delay.percentile(99)),
        max: milliseconds(delay.max),
      },
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
