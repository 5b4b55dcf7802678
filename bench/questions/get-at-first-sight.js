import { compareStores } from '../compare.js';
import { shopData } from '../data.js';

export const question = 'What does it cost to look up a session that this thread has never seen?';

const COUNT = 5000;

export async function ask({ coatcheck, stores }) {
  const rows = [];
  const keys = new Map();
  for (const store of stores) keys.set(store, await store.fill(COUNT, shopData));
  for (const [what, ours, theirs] of [
    ['get at first sight', 'getAtFirstSight', 'get'],
    ['get at first sight and read', 'getAndReadAtFirstSight', 'getAndRead'],
  ]) {
    rows.push(
      ...(await compareStores(stores, {
        what,
        async ours(count) {
          const took = await coatcheck[ours](await coatcheck.fill(count, shopData));
          await coatcheck.clear();
          return took;
        },
        theirs: (store) => [1, 256].map((width) => (count) => store[theirs](keys.get(store), count, width)),
        count: COUNT,
      })),
    );
  }
  for (const store of stores) await store.clear();
  return rows;
}
