/** Sweeps at the times of a cron expression, in steps, so that no call waits long. Manager's thread. */

import { type ScheduledTask, schedule } from 'node-cron';
import type { Endings } from '../rules/endings.js';
import type { Steps } from '../table/pace.js';
import type { Connections } from './connections.js';
import { Queue, type Turns } from './turns.js';

/** Slots that are visited before it is checked whether the step is over. */
const SLICE = 100;

const silent = { info() {}, warn() {}, error() {}, debug() {} };

export class Sweeper {
  readonly #endings: Endings;
  readonly #turns: Turns;
  readonly #connections: Connections;
  readonly #task: ScheduledTask;
  readonly #sweeping = new Queue();
  readonly #freeing = new Queue();

  constructor(expression: string, endings: Endings, turns: Turns, connections: Connections) {
    this.#endings = endings;
    this.#turns = turns;
    this.#connections = connections;
    endings.onToFree = () => this.#free();
    this.#task = schedule(expression, () => this.sweep(), {
      noOverlap: true,
      suppressMissedWarning: true,
      logger: silent,
    });
  }

  /** One whole sweep. */
  async sweep(): Promise<void> {
    await this.#turns.do(this.#sweeping, () => this.#notifying(this.#sweep()));
  }

  *#sweep(): Steps<void> {
    const { pace } = this.#endings;
    while (this.#endings.endDue(SLICE).visited === SLICE) if (pace.isOver) yield;
    yield* this.#endings.tidying();
  }

  /** Frees the sessions that an ending of many has left. */
  #free(): void {
    if (this.#freeing.jobs.length > 0) return;
    void this.#turns.do(this.#freeing, () => this.#notifying(this.#endings.freeing()));
  }

  /** Sends the notices after each step. */
  *#notifying(steps: Steps<void>): Steps<void> {
    for (; !steps.next().done; yield) this.#connections.flush();
    this.#connections.flush();
  }

  async stop(): Promise<void> {
    await this.#task.destroy();
  }
}
