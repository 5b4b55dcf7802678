/** The least that a call to another thread can cost with Comlink: nothing is sent, nothing is done, nothing comes back. */

import { MessageChannel, Worker } from 'node:worker_threads';
import * as Comlink from 'comlink';
import { windowed } from '../window.js';

export function openEmptyComlinkCall() {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('./empty-comlink-worker.js', import.meta.url), {
    workerData: port2,
    transferList: [port2],
  });
  // Kept, as each access to a Comlink proxy makes another one.
  const { nothing } = Comlink.wrap(port1);
  return {
    name: 'empty Comlink call',
    call: (count, width) => windowed(count, width, (_, done) => void nothing().then(done)),
    close: () => worker.terminate(),
  };
}
