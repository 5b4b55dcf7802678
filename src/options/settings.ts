/**
 * What every thread that joins a manager has to know beside the table. It comes from the manager, over the joined port:
 * it may hold cookie keys.
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
