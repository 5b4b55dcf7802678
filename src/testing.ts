/** 'coatcheck/testing': what tests and replays of applications need. */

export { createManualClock } from './manager/manual-clock.js';
export type { ManualClock } from './types/types.js';
