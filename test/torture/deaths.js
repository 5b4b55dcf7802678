/** How the manager's thread is brought to its end, and when it was. Main thread. */

import { once } from 'node:events';
import { postMessageToThread } from 'node:worker_threads';

const WORKER = new URL('../fixtures/manager-that-dies.js', import.meta.url);
/** The ways, each as often as it stands here. */
const WAYS = [
  ...Array(12).fill('terminate'),
  ...Array(12).fill('at store'),
  ...['exit 0', 'exit 0', 'exit 1', 'exit 1', 'throw', 'throw undefined', 'reject', 'out of memory'],
];
/** Each death of so many is a hang, beginning with the first half of that: it takes its time to be noticed. */
const HANG_IN = 100;
/** V8's limit for the manager's thread, in MiB: it also tells that thread from others. */
export const MEMORY = 63;
/** Atomic stores into which a death may fall. */
const STORES = 400;

export class Deaths {
  worker = WORKER;
  count = 0;
  /** Hangs that were noticed as such. */
  hangsNoticed = 0;
  #random;
  #current;
  #ways = new Map();

  constructor(random) {
    this.#random = random;
    // Node does not tell a Worker's module: the manager's threads are told by the limits that they were given.
    process.on('worker', (worker) => {
      if (worker.resourceLimits?.maxOldGenerationSizeMb === MEMORY) this.#current = worker;
    });
  }

  choose() {
    if (this.count % HANG_IN === HANG_IN / 2) return 'hang';
    return WAYS[Math.floor(this.#random() * WAYS.length)];
  }

  isHang(how) {
    return how === 'hang';
  }

  /** Kills the manager's thread, and resolves when it is dead, to when that was. A hang is dead when it was noticed. */
  async kill(how) {
    const worker = this.#current;
    this.count++;
    this.#ways.set(how, (this.#ways.get(how) ?? 0) + 1);
    const exited = once(worker, 'exit').catch(() => {});
    if (how === 'terminate') void worker.terminate();
    else
      this.#order(worker, how === 'at store' ? { exitAtStore: 1 + Math.floor(this.#random() * STORES) } : { die: how });
    await exited;
    return performance.now();
  }

  /** Again and again until it is dead: a thread that has just begun may not listen yet. */
  #order(worker, order) {
    const say = () => void postMessageToThread(worker.threadId, order).catch(() => {});
    const again = setInterval(say, 250);
    worker.once('exit', () => clearInterval(again));
    say();
  }

  /** What the supervisor says that the last death came of; as a text what is wrong with that, or undefined. */
  tellCause(how, cause) {
    if (!this.isHang(how)) return undefined;
    if (!/heart stood still/.test(cause?.message)) return `a hang that was not noticed as one: ${cause?.message}`;
    this.hangsNoticed++;
    return undefined;
  }

  /** How often it died in which way. */
  get ways() {
    return Object.fromEntries(this.#ways);
  }
}
