/** A manager whose thread can be brought to its end at a step, in any way: what the tests of failpoints share. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setEnvironmentData, type Worker } from 'node:worker_threads';
import { type ManagerOptions, type SessionManager, startSessionManager } from '../../dist/src/index.js';
import { createManualClock } from '../../dist/src/testing.js';
import { type ManualClock, STEPS, type Step } from '../support/internals.js';
import { fixture } from '../support/threads.js';

/** As `stops-at-a-step.js` numbers them. */
export const WAYS = [
  'a throw',
  'a rejection',
  'exit 0',
  'exit 1',
  'running out of memory',
  'being terminated',
  'hanging busy',
  'blocking in a system call',
] as const;
export type Way = (typeof WAYS)[number];

const [ARMED, HOW, REACHED, THREAD] = [0, 1, 2, 3] as const;
let boards = 0;

/** All threads that this one has spawned, by their number. */
const spawned = new Map<number, Worker>();
process.on('worker', (worker) => {
  const { threadId } = worker;
  spawned.set(threadId, worker);
  worker.once('exit', () => spawned.delete(threadId));
});

export class Mortal {
  readonly #words: Int32Array;
  readonly #folder: string;
  readonly #fifo: string;
  readonly clock: ManualClock;
  readonly manager: SessionManager;
  readonly name: string;

  static async start(options: ManagerOptions = {}): Promise<Mortal> {
    const board = ++boards;
    const folder = mkdtempSync(join(tmpdir(), 'coatcheck-'));
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const words = new SharedArrayBuffer(64);
    setEnvironmentData(`board-${board}`, { words, fifo } as never);
    const clock = createManualClock(Date.UTC(2026, 0, 1));
    const name = `mortal ${board}`;
    const manager = await startSessionManager({
      name,
      maxSessions: 80,
      maxBytes: 1_000_000,
      idleTimeout: false,
      absoluteTimeout: false,
      callTimeout: '20s',
      restarts: { most: 100_000, within: '1s' },
      resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 },
      // Swept by the tests' own calls alone: midnight of a 29th of February.
      sweep: '0 0 0 29 2 *',
      worker: fixture('stops-at-a-step'),
      // By its name the thread finds its board.
      cookie: { name: `board-${board}`, secure: false },
      clock,
      ...options,
    });
    return new Mortal(new Int32Array(words), folder, fifo, clock, manager, name);
  }

  private constructor(
    words: Int32Array,
    folder: string,
    fifo: string,
    clock: ManualClock,
    manager: SessionManager,
    name: string,
  ) {
    this.#words = words;
    this.#folder = folder;
    this.#fifo = fifo;
    this.clock = clock;
    this.manager = manager;
    this.name = name;
  }

  /** The manager's thread. */
  get #worker(): Worker {
    return spawned.get(Atomics.load(this.#words, THREAD)) as Worker;
  }

  kill(): void {
    void this.#worker.terminate();
  }

  /**
   * Has the manager end by `way` when it comes to `step` next, while `use` runs; `use` is repeated until the step is
   * reached. Resolves when `use` is over and the thread is gone.
   */
  async dieAt(step: Step, way: Way, use: () => Promise<unknown>): Promise<void> {
    const words = this.#words;
    Atomics.store(words, REACHED, 0);
    Atomics.store(words, HOW, WAYS.indexOf(way));
    Atomics.store(words, ARMED, STEPS.indexOf(step) + 1);
    let gone: Promise<unknown> | undefined;
    // A thread that blocks is let go when it has been given up, by its successor or by `stop`: before that it would
    // just go on.
    const isReplaced = way === 'blocking in a system call' && !step.startsWith('stop:');
    const replaced = isReplaced ? this.#nextRestart() : undefined;
    const waiting = Atomics.waitAsync(words, REACHED, 0);
    const reached = Promise.resolve(waiting.value).then((value) => {
      if (value === 'unused') return;
      const worker = this.#worker;
      gone = once(worker, 'exit').catch(() => {});
      if (way === 'being terminated') void worker.terminate();
    });
    for (let tries = 0; tries < 8 && Atomics.load(words, REACHED) === 0; tries++) await use();
    if (Atomics.load(words, REACHED) === 0) {
      Atomics.store(words, ARMED, 0);
      Atomics.notify(words, REACHED);
      throw new Error(`the step was never reached: ${step}`);
    }
    await reached;
    await replaced;
    if (way === 'blocking in a system call') this.#unblock();
    await gone;
  }

  #nextRestart(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.manager.on('restarted', () => {
        stop();
        resolve();
      });
    });
  }

  #unblock(): void {
    closeSync(openSync(this.#fifo, constants.O_WRONLY | constants.O_NONBLOCK));
  }

  async end(): Promise<void> {
    await this.manager.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
