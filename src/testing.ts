/** 'coatcheck/testing': what tests and replays of applications need. */

export { createManualClock } from './manual-clock.js';
export type { ManualClock } from './types.js';
