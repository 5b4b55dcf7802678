/** How low the median of all that could be measured may be, judged by what was. */

/**
 * The one-sided lower confidence bound of the median by order statistics, the inverse of the sign test: nothing is
 * assumed of how the values are spread. The k-th smallest of n lies above the median only if fewer than k values lie
 * below it, of which the chance is that of fewer than k heads in n tosses; taken is the greatest k for which that is at
 * most 1 − confidence. (G. J. Hahn and W. Q. Meeker, "Statistical Intervals", Wiley 1991, section 5.2; W. J. Conover,
 * "Practical Nonparametric Statistics", section 3.2.) Throws for so few values that there is none.
 */
export function lowerBound(values, confidence) {
  const n = values.length;
  let chance = 0.5 ** n;
  let sum = chance;
  let k = 0;
  while (sum <= 1 - confidence) {
    k++;
    chance *= (n - k + 1) / k;
    sum += chance;
  }
  if (k === 0) throw new Error(`${n} values are too few`);
  return [...values].sort((a, b) => a - b)[k - 1];
}
