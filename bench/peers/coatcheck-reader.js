/** A thread that looks up cookies it has never seen, and says how many milliseconds it took. */

import { parentPort } from 'node:worker_threads';
import { connectSessionManager } from 'coatcheck';

const manager = await connectSessionManager('bench');
parentPort.on('message', ({ cookies, read }) => {
  const before = performance.now();
  for (const cookie of cookies) {
    const session = manager.getSession(cookie);
    if (session === undefined || (read && session.data.name === undefined)) throw new Error('missed');
  }
  parentPort.postMessage(performance.now() - before);
});
parentPort.postMessage('ready');
