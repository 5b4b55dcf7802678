/** What a policy allows for timeouts and cookies, and its defaults. Used in every thread of the host. */

import type { ResolvedCookieOptions } from '../cookies/options.js';
import { expected } from '../protocol/errors.js';
import type { PolicyName } from '../types/types.js';
import { defaults } from '../validation/defaults.js';
import { acceptedDuration, type DurationLimits, type TimeoutLimits, timeoutLimits } from '../validation/durations.js';
import { policies } from './policies/policies.js';
import type { TimeoutRule } from './policies/requirement.js';

export const POLICY_NAMES = Object.keys(policies) as readonly PolicyName[];

/** The limits of timeouts, also for those of single sessions. */
export function timeoutLimitsUnder(policy: PolicyName | undefined): TimeoutLimits {
  if (policy === undefined) return { idle: timeoutLimits, absolute: timeoutLimits };
  const { idleTimeout, absoluteTimeout } = policies[policy];
  return { idle: limitsOf(policy, idleTimeout), absolute: limitsOf(policy, absoluteTimeout) };
}

function limitsOf(policy: PolicyName, rule: TimeoutRule | undefined): DurationLimits {
  if (rule === undefined) return timeoutLimits;
  const { most, inWords, requirement } = rule;
  return {
    ...timeoutLimits,
    ...(most === undefined ? {} : { most: acceptedDuration(most), mostInWords: inWords ?? `${most}` }),
    orFalse: false,
    because: because(policy, requirement),
  };
}

/**
 * The default timeouts, in milliseconds, or the policy's limits if those are shorter: a policy never loosens a default.
 */
export function defaultTimeoutsUnder(policy: PolicyName | undefined): { idle: number; absolute: number } {
  const { idle, absolute } = timeoutLimitsUnder(policy);
  return {
    idle: Math.min(acceptedDuration(defaults.idleTimeout), idle.most),
    absolute: Math.min(acceptedDuration(defaults.absoluteTimeout), absolute.most),
  };
}

/** The default of `cookie.persistent`. */
export function isPersistentUnder(policy: PolicyName | undefined): boolean {
  return policy?.startsWith('nist-') ? false : defaults.cookie.persistent;
}

/** One requirement of a policy for the cookie. */
interface CookieRule {
  readonly requirement: string;
  readonly option: 'secure' | 'name' | 'sameSite' | 'format';
  readonly tobe: string;
  isMet(cookie: ResolvedCookieOptions): boolean;
}

// Case-sensitive, as not every browser recognises the prefixes in another case.
const isOfOneHost = ({ name }: ResolvedCookieOptions) => name.startsWith('__Host-');
const isSecure = ({ secure }: ResolvedCookieOptions) => secure;
const isSameSite = ({ sameSite }: ResolvedCookieOptions) => sameSite !== 'none';

const asvsL1: readonly CookieRule[] = [
  { requirement: '3.3.1', option: 'secure', tobe: 'true', isMet: isSecure },
  {
    requirement: '3.3.1',
    option: 'name',
    tobe: 'a name that begins with __Host- or __Secure-',
    isMet: (cookie) => isOfOneHost(cookie) || cookie.name.startsWith('__Secure-'),
  },
];
const asvsL2: readonly CookieRule[] = [
  ...asvsL1,
  { requirement: '3.3.2', option: 'sameSite', tobe: "'lax' or 'strict'", isMet: isSameSite },
  {
    requirement: '3.3.3',
    option: 'name',
    tobe: 'a name that begins with __Host-, as no `cookie.domain` is given',
    isMet: (cookie) => isOfOneHost(cookie) || cookie.domain !== undefined,
  },
];
const nist: readonly CookieRule[] = [
  { requirement: '5.1.1 (1)', option: 'secure', tobe: 'true', isMet: isSecure },
  {
    requirement: '5.1.1 (2) and (5)',
    option: 'name',
    tobe: 'a name that begins with __Host-',
    isMet: isOfOneHost,
  },
  { requirement: '5.1.1 (6)', option: 'sameSite', tobe: "'lax' or 'strict'", isMet: isSameSite },
  {
    requirement: '5.1.1 (7)',
    option: 'format',
    tobe: "'opaque' or 'signed'",
    isMet: ({ format }) => format !== 'jwt',
  },
];

const cookieRules: Readonly<Record<PolicyName, readonly CookieRule[]>> = {
  'asvs-l1': asvsL1,
  'asvs-l2': asvsL2,
  'nist-aal1': nist,
  'nist-aal2': nist,
  'nist-aal3': nist,
};

/** Throws ERR_INVALID_OPTION, which names the option, the policy and the requirement. */
export function checkCookieUnder(policy: PolicyName | undefined, cookie: ResolvedCookieOptions): void {
  if (policy === undefined) return;
  const broken = cookieRules[policy].find((rule) => !rule.isMet(cookie));
  if (broken === undefined) return;
  const { option, tobe, requirement } = broken;
  throw expected(`cookie.${option}`, `${tobe}${because(policy, requirement)}`, cookie[option]);
}

/** The end of an error text: the policy, and the requirement of the standard. */
function because(policy: PolicyName, requirement: string): string {
  return ` (policy '${policy}': ${policies[policy].standard}, ${requirement})`;
}
