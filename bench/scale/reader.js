/** A thread that looks every session up, once, and says how many it found. */

import { parentPort, workerData } from 'node:worker_threads';
import { connectSessionManager } from 'coatcheck';
import { countTokens, nextToken } from './counted-tokens.js';

const manager = await connectSessionManager();
countTokens();
let found = 0;
for (let i = 0; i < workerData; i++) if (manager.getSession(nextToken()) !== undefined) found++;
parentPort.postMessage(found);
await manager.disconnect();
