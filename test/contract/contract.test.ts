/**
 * One contract of the session rules, over the bare rules, over a port in one thread, and over the real manager thread.
 */

import { sessionContract } from './contract.js';
import { endingContract } from './contract-endings.js';
import { limitContract } from './contract-limits.js';
import { valueContract } from './contract-values.js';
import { overBareRules, overPort, overThread } from './hosts.js';

const hosts = { 'over the bare rules': overBareRules, 'over a port': overPort, 'over the thread': overThread };

for (const [where, start] of Object.entries(hosts)) {
  sessionContract(where, start);
  endingContract(where, start);
  limitContract(where, start);
  valueContract(where, start);
}
