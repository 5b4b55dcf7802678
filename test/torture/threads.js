/** A thread under load, as the main thread has it: it is asked, and answers. Main thread. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export class LoadThread {
  counts;
  exited;
  #worker;
  #wrong;
  #asked = new Map();
  #last = 0;

  /** `wrong`: where what is wrong is put, as texts. */
  static async start(workerData, wrong) {
    const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData });
    const exited = once(worker, 'exit');
    const [{ counts }] = await once(worker, 'message');
    return new LoadThread(worker, exited, counts, wrong);
  }

  constructor(worker, exited, counts, wrong) {
    this.#worker = worker;
    this.#wrong = wrong;
    this.exited = exited;
    this.counts = counts;
    worker.on('message', (answered) => this.#hear(answered));
  }

  ask(what, argument) {
    const number = ++this.#last;
    this.#worker.postMessage({ number, ask: what, argument });
    return new Promise((resolve) => this.#asked.set(number, resolve));
  }

  #hear({ number, answer, wrong, counts }) {
    this.counts = counts;
    this.#wrong.push(...wrong);
    this.#asked.get(number)(answer);
    this.#asked.delete(number);
  }
}
