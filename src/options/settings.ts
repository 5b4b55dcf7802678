/**
 * The settings that every thread needs in addition to the table. The manager sends them over the port of a thread that
 * joins, as they may hold cookie keys. Used in every thread of the host.
 */

import type { ResolvedCookieOptions } from '../cookies/options.js';
import type { PolicyName } from '../types/types.js';
import type { ResolvedOptions, Rotation } from './options.js';

export interface Settings {
  readonly idleTimeout: number;
  readonly absoluteTimeout: number;
  readonly maxSessionBytes: number;
  readonly rotation: Rotation | undefined;
  readonly policy: PolicyName | undefined;
  readonly cookie: ResolvedCookieOptions;
}

export function settingsOf(options: ResolvedOptions): Settings {
  const { idleTimeout, absoluteTimeout, maxSessionBytes, rotation, policy, cookie } = options;
  return { idleTimeout, absoluteTimeout, maxSessionBytes, rotation, policy, cookie };
}
