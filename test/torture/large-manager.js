/** The manager's thread, which notes the pauses of its garbage collector, and exits when it is told. */

import { PerformanceObserver } from 'node:perf_hooks';
import { getEnvironmentData } from 'node:worker_threads';
import { PAUSES } from './pauses.js';

const pauses = new Float64Array(getEnvironmentData('torture pauses'));
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    pauses[PAUSES.collected] = Math.max(pauses[PAUSES.collected], duration);
  }
}).observe({ entryTypes: ['gc'] });
process.on('workerMessage', (value) => {
  if (value?.torture === 'exit') process.exit(1);
});
await import('../../dist/worker/main.js');
