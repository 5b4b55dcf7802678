/**
 * Measures in interleaved rounds: A B C A B C … A noisy machine then slows all of them alike, and the ratio within a
 * round holds.
 */

/**
 * Runs each contestant once a round. A contestant is a function that does `count` operations and resolves to the
 * milliseconds they took, or to nothing, and is then timed from outside. Returns, for each, microseconds per operation,
 * round by round.
 */
export async function measure(contestants, { rounds, count }) {
  const times = contestants.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, run] of contestants.entries()) {
      globalThis.gc?.();
      const before = performance.now();
      const took = (await run(count)) ?? performance.now() - before;
      // The first round only warms up.
      if (round >= 0) times[i].push((took * 1000) / count);
    }
  }
  return times;
}

/** Median, least and greatest. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1) };
}

/** How often B takes as long as A, round by round. */
export function ratios(ofB, ofA) {
  return spread(ofB.map((time, round) => time / ofA[round]));
}
