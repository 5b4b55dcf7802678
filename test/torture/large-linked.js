/** A thread to which so many sessions are linked. */

import { parentPort, workerData } from 'node:worker_threads';
import { connectSessionManager } from '../../dist/src/index.js';

const { name, half } = workerData;
const manager = await connectSessionManager(name);
for (let made = 0; made < half; made += 1024) {
  await Promise.all(Array.from({ length: Math.min(1024, half - made) }, () => manager.newSession({ linked: true })));
}
parentPort.postMessage('ready');
setInterval(() => {}, 1000);
