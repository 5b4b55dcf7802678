/**
 * The types by which policies and their requirements are described. Used in every thread of the host, and by the
 * command.
 */

import type { Duration } from '../../types/types.js';

/** A test that shows a requirement to be met: a file in this package's repository, and the title of a test in it. */
export interface TestedBy {
  readonly file: string;
  readonly test: string;
}

/** One requirement of a standard. */
export interface Requirement {
  /** The number that the standard gives it. */
  readonly number: string;
  /** The level of ASVS from which it applies, or the word that NIST uses. */
  readonly level: 'L1' | 'L2' | 'L3' | 'shall' | 'should';
  /** The requirement, in our words. */
  readonly text: string;
  /** Who meets it: the library, whatever the options; options that the policy sets and enforces; or the application. */
  readonly by: 'library' | 'option' | 'application';
  /** How it is met, or what the application uses to meet it. */
  readonly how: string;
  /** Empty only for requirements that the application meets alone. */
  readonly tested: readonly TestedBy[];
}

/** The longest value of a timeout. Without `most`, any duration is allowed, but not `false`. */
export interface TimeoutRule {
  readonly most?: Duration;
  /** `most` in the words of an error text. */
  readonly inWords?: string;
  /** The number of the requirement. */
  readonly requirement: string;
}

/** One level of a standard, as far as it concerns sessions. */
export interface Policy {
  readonly standard: string;
  /** Undefined: not limited. */
  readonly idleTimeout: TimeoutRule | undefined;
  readonly absoluteTimeout: TimeoutRule | undefined;
  readonly requirements: readonly Requirement[];
}
