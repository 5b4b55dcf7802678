/**
 * The least that a call to another thread can cost: 200 bytes there and back over a MessagePort, with nothing around
 * them.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import { windowed } from '../window.js';

const BYTES = 200;

export function openBareEcho() {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('./bare-echo-worker.js', import.meta.url), {
    workerData: port2,
    transferList: [port2],
  });
  const bytes = new ArrayBuffer(BYTES);
  // Answers come in the order of the calls.
  const waiting = [];
  port1.on('message', () => waiting.shift()());
  return {
    name: `bare echo of ${BYTES} bytes`,
    call: (count, width) =>
      windowed(count, width, (_, done) => {
        waiting.push(done);
        port1.postMessage(bytes);
      }),
    close: () => worker.terminate(),
  };
}
