/**
 * The form in which what a standard asks of sessions is written down. Used in every thread of the host, and by the
 * command.
 */

import type { Duration } from '../../types/types.js';

/** Where it is tested: a file of this package's sources, and the title of a test in it. */
export interface TestedBy {
  readonly file: string;
  readonly test: string;
}

/** One thing that a standard asks for. */
export interface Requirement {
  /** As the standard numbers it. */
  readonly number: string;
  /** How much it is asked: from which level of ASVS on, or by which of NIST's words. */
  readonly level: 'L1' | 'L2' | 'L3' | 'shall' | 'should';
  /** What is asked, in our words. */
  readonly text: string;
  /**
   * Who sees to it: the library whatever the options; options that the policy sets and enforces; or the application.
   */
  readonly by: 'library' | 'option' | 'application';
  /** What does so, or what the application does it with. */
  readonly how: string;
  /** Empty only where it is the application's own. */
  readonly tested: readonly TestedBy[];
}

/** The longest that a timeout may be. Without `most`, any duration, but not `false`. */
export interface TimeoutRule {
  readonly most?: Duration;
  /** `most` as an error says it. */
  readonly inWords?: string;
  /** The number of the requirement. */
  readonly requirement: string;
}

/** One level of a standard, as far as it is about sessions. */
export interface Policy {
  readonly standard: string;
  /** Undefined: not limited. */
  readonly idleTimeout: TimeoutRule | undefined;
  readonly absoluteTimeout: TimeoutRule | undefined;
  readonly requirements: readonly Requirement[];
}
