/** What a Worker costs that does nothing: it says that it is there. */
import { parentPort } from 'node:worker_threads';

parentPort.postMessage('there');
parentPort.close();
