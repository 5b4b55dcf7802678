/** Timeouts as they are typed on the command line. Runs in the main thread. */

import { InvalidArgumentError } from 'commander';
import ms from 'ms';

/** A timeout as it was typed, and in milliseconds; `false` for never. */
export interface Timeout {
  readonly text: string;
  readonly value: number | false;
}

const form = /^\d{1,15}(?:\.\d{1,9})?(?:ms|s|m|h|d)$/;
const CENTURY = ms('36525d');

/** Parses '90s', '30m', '8h', '14d' or 'never' for commander. */
export function parseTimeout(text: string): Timeout {
  if (text === 'never') return { text, value: false };
  const value = form.test(text) ? Math.round(ms(text as ms.StringValue)) : 0;
  if (value < 1 || value > CENTURY)
    throw new InvalidArgumentError("Expected a duration such as '90s', '30m', '8h' or '14d', or 'never'.");
  return { text, value };
}
