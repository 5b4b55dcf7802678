/** Sweeps: at the times that a cron expression names, in slices, so that no call waits long. Manager's thread. */

import { setImmediate } from 'node:timers/promises';
import { type ScheduledTask, schedule } from 'node-cron';
import type { Connections } from './connections.js';
import type { Endings } from './endings.js';
import type { Executor } from './executor.js';

/** Slots that are looked at, or freed, between two calls. */
const SLICE = 1000;

const silent = { info() {}, warn() {}, error() {}, debug() {} };

export class Sweeper {
  readonly #endings: Endings;
  readonly #executor: Executor;
  readonly #connections: Connections;
  readonly #task: ScheduledTask;
  #freeing = false;

  constructor(expression: string, endings: Endings, executor: Executor, connections: Connections) {
    this.#endings = endings;
    this.#executor = executor;
    this.#connections = connections;
    this.#task = schedule(expression, () => this.sweep(), {
      noOverlap: true,
      suppressMissedWarning: true,
      logger: silent,
    });
  }

  /** One whole sweep. */
  async sweep(): Promise<void> {
    for (let looked = SLICE; looked === SLICE; await setImmediate()) {
      looked = await this.#slice(() => this.#endings.endDue(SLICE).looked);
    }
    await this.freeEnded();
    await this.#slice(() => this.#endings.tidy());
  }

  /** Frees what was ended all at once. */
  async freeEnded(): Promise<void> {
    if (this.#freeing) return;
    this.#freeing = true;
    for (; this.#endings.hasMoreToFree; await setImmediate()) await this.#slice(() => this.#endings.freeSome(SLICE));
    this.#freeing = false;
  }

  #slice<T>(work: () => T): T | Promise<T> {
    return this.#executor.alone(() => {
      const result = work();
      this.#connections.flush();
      return result;
    });
  }

  async stop(): Promise<void> {
    await this.#task.destroy();
  }
}
