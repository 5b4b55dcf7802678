/** The other end of a bare echo. */

import { workerData } from 'node:worker_threads';

workerData.on('message', (bytes) => workerData.postMessage(bytes));
