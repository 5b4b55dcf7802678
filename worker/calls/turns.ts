/**
 * Cooperative scheduling of the manager's work, step by step. Manager's thread.
 *
 * Jobs wait in queues, one for each port and some of the manager's own. The jobs of a queue are done in order, one
 * after the other, so the calls of a connection keep their order. The queues take turns: a queue whose job is not done
 * when its step is over goes behind the others, and the event loop turns before the next step, so that what has arrived
 * meanwhile gets its turn. Between two steps any other call may be done, so long work may yield only where every rule's
 * assumptions hold.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { Pace, Steps } from '../table/pace.js';

/** A unit of work in a queue. */
export interface Job {
  /** Does as much as the current step allows, and at least something; true when the job is done. */
  advance(): boolean;
}

export class Queue {
  readonly jobs: Job[] = [];
}

export class Turns {
  readonly #pace: Pace;
  readonly #failed: (error: unknown) => void;
  readonly #later: (work: () => void) => void;
  /** Queues with jobs in them, the next one first. */
  readonly #waiting: Queue[] = [];
  #isWorking = false;
  #isDue = false;

  /**
   * `failed` is called with everything that a job throws, which is then thrown on. `later` calls a function in another
   * turn of the event loop.
   */
  constructor(
    pace: Pace,
    failed: (error: unknown) => void,
    later: (work: () => void) => void = (work) => void setImmediate(work),
  ) {
    this.#pace = pace;
    this.#failed = failed;
    this.#later = later;
  }

  /** Appends a job to a queue. If nothing else waits, it is begun at once, and most often done when this returns. */
  add(queue: Queue, job: Job): void {
    queue.jobs.push(job);
    if (queue.jobs.length > 1) return;
    this.#waiting.push(queue);
    if (!this.#isWorking && !this.#isDue) this.#step();
  }

  /** As `add`, for work with a result: returns the result, or a promise of it. */
  do<T>(queue: Queue, work: () => Steps<T>): T | Promise<T> {
    let steps: Steps<T> | undefined;
    let result: { readonly value: T } | undefined;
    let resolve: ((value: T) => void) | undefined;
    this.add(queue, {
      advance: () => {
        steps ??= work();
        const { done, value } = steps.next();
        if (!done) return false;
        result = { value };
        resolve?.(value);
        return true;
      },
    });
    if (result !== undefined) return (result as { readonly value: T }).value;
    return new Promise((settle) => {
      resolve = settle;
    });
  }

  /** Resolves when all jobs that are in these queues now are done. */
  async settled(queues: readonly Queue[]): Promise<void> {
    const last = queues.map((queue) => ({ queue, job: queue.jobs.at(-1) }));
    const isLeft = () => last.some(({ queue, job }) => job !== undefined && queue.jobs.includes(job));
    while (isLeft()) await turn();
  }

  #step(): void {
    this.#isDue = false;
    this.#isWorking = true;
    const waiting = this.#waiting;
    try {
      this.#pace.begin();
      for (let queue = waiting.shift(); queue !== undefined; queue = waiting.shift()) {
        const { jobs } = queue;
        if ((jobs[0] as Job).advance()) jobs.shift();
        if (jobs.length > 0) waiting.push(queue);
        if (this.#pace.isOver) break;
      }
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      this.#isWorking = false;
    }
    if (waiting.length === 0) return;
    this.#isDue = true;
    this.#later(() => this.#step());
  }
}
