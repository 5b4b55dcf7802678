/**
 * The policies: each is one level of a standard, with its limits and requirements. Used in every thread of the host,
 * and by the command.
 */

import type { PolicyName } from '../../types/types.js';
import { asvs } from './asvs.js';
import { nist, nistTimes } from './nist.js';
import type { Policy } from './requirement.js';

const ASVS = 'OWASP ASVS 5.0';
const NIST = 'NIST SP 800-63B-4';

/**
 * What each `policy` of `startSessionManager` stands for: its limits, and its requirements, with how each is met and
 * which tests show it.
 */
export const policies: Readonly<Record<PolicyName, Policy>> = {
  'asvs-l1': {
    standard: ASVS,
    idleTimeout: undefined,
    absoluteTimeout: undefined,
    requirements: asvs.filter(({ level }) => level === 'L1'),
  },
  /**
   * Includes the two requirements of level 3 that concern sessions. ASVS names no figures for timeouts: any is allowed,
   * but not `false`.
   */
  'asvs-l2': {
    standard: ASVS,
    idleTimeout: { requirement: '7.3.1' },
    absoluteTimeout: { requirement: '7.3.2' },
    requirements: asvs,
  },
  'nist-aal1': {
    standard: NIST,
    idleTimeout: undefined,
    absoluteTimeout: { most: '30d', inWords: '30 days', requirement: '2.1.3' },
    requirements: [...nistTimes('2.1.3', '30 days', undefined), ...nist],
  },
  'nist-aal2': {
    standard: NIST,
    idleTimeout: { most: '1h', inWords: '1 hour', requirement: '2.2.3' },
    absoluteTimeout: { most: '24h', inWords: '24 hours', requirement: '2.2.3' },
    requirements: [...nistTimes('2.2.3', '24 hours', '1 hour'), ...nist],
  },
  'nist-aal3': {
    standard: NIST,
    idleTimeout: { most: '15m', inWords: '15 minutes', requirement: '2.3.3' },
    absoluteTimeout: { most: '12h', inWords: '12 hours', requirement: '2.3.3' },
    requirements: [...nistTimes('2.3.3', '12 hours', '15 minutes'), ...nist],
  },
};
