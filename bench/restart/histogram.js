/**
 * Durations counted in buckets of 5 %, from a tenth of a microsecond on: shared by two threads, and without an
 * allocation for each.
 */

/** Words of the board: what goes on, lookups that found nothing, whether the reader is ready. */
export const [GOES_ON, MISSED, READY] = [0, 1, 2];
/** What goes on. */
export const [NOTHING, RESTART, OTHER, STOP] = [0, 1, 2, 3];

const LEAST = 1e-4;
const STEP = Math.log(1.05);
export const BUCKETS = 400;

/** The bucket of a duration in milliseconds. */
export function bucketOf(ms) {
  return ms <= LEAST ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST) / STEP));
}

/** The duration, in milliseconds, that the part `p` of all that were counted did not exceed. */
export function quantile(counts, p) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    seen += counts[bucket];
    if (seen >= p * total) return LEAST * Math.exp(bucket * STEP);
  }
  return Number.NaN;
}
