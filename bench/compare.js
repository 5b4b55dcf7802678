/** One row of the result: this package beside one peer, measured in interleaved rounds. */

import { measure, ratios, spread } from './rounds.js';

/**
 * `ours` and each of `theirs` do `count` operations; where a peer can do it in several ways, the way that was faster in
 * a round counts for it. `times: 'faster'`: how many times as fast ours is; `'as long'`: how many times as long it
 * takes. `bar`: what has to be reached.
 */
export async function compare({ what, ours, peer, theirs, count, rounds = 15, times = 'faster', bar }) {
  const [our, ...ways] = await measure([ours, ...theirs], { rounds, count });
  const their = our.map((_, round) => Math.min(...ways.map((way) => way[round])));
  const ratio = times === 'faster' ? ratios(their, our) : ratios(our, their);
  const met = bar === undefined ? undefined : times === 'faster' ? ratio.median >= bar : ratio.median <= bar;
  return { what, ours: spread(our).median, peer, theirs: spread(their).median, ratio, times, bar, met };
}

/** The same with every store that there is. `bar` is for the first of them. */
export async function compareStores(stores, { theirs, bar, ...rest }) {
  const rows = [];
  for (const [i, store] of stores.entries()) {
    const given = i === 0 && bar !== undefined ? { bar } : {};
    rows.push(await compare({ ...rest, ...given, peer: store.name, theirs: theirs(store) }));
  }
  return rows;
}
