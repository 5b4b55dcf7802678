/** The other end of an empty Comlink call. */

import { workerData } from 'node:worker_threads';
import * as Comlink from 'comlink';

Comlink.expose({ nothing() {} }, workerData);
