import { compareStores } from '../compare.js';
import { shopData } from '../data.js';

export const question = 'What does it cost to look up a session that this thread has looked up before?';

export async function ask({ coatcheck, stores }) {
  const rows = [];
  for (const sessions of [1, 1000]) {
    const keys = new Map();
    for (const peer of [coatcheck, ...stores]) keys.set(peer, await peer.fill(sessions, shopData));
    const cookies = sessions === 1 ? 'one cookie' : '1,000 cookies';
    rows.push(
      ...(await compareStores(stores, {
        what: `get again, ${cookies}`,
        ours: (count) => coatcheck.get(keys.get(coatcheck), count),
        theirs: (store) => [1, 256].map((width) => (count) => store.get(keys.get(store), count, width)),
        count: 20_000,
        bar: 8,
      })),
      ...(await compareStores(stores, {
        what: `get again and read, ${cookies}`,
        ours: (count) => coatcheck.getAndRead(keys.get(coatcheck), count),
        theirs: (store) => [1, 256].map((width) => (count) => store.getAndRead(keys.get(store), count, width)),
        count: 20_000,
      })),
    );
    for (const peer of [coatcheck, ...stores]) await peer.clear();
  }
  return rows;
}
