import { compareStores } from '../compare.js';
import { shopData } from '../data.js';

export const question = 'What does it cost to change a session?';

export async function ask({ coatcheck, stores }) {
  const keys = new Map();
  for (const peer of [coatcheck, ...stores]) keys.set(peer, await peer.fill(1000, shopData));
  let visits = 0;
  // coatcheck is given the key that changes; express-session always writes the whole session.
  const set = (peer, width) => (count) => {
    const visit = { visits: visits++ };
    return peer.set(keys.get(peer), peer === coatcheck ? visit : { ...shopData, ...visit }, count, width);
  };
  const rows = [
    ...(await compareStores(stores, {
      what: 'set, alone',
      ours: set(coatcheck, 1),
      theirs: (store) => [set(store, 1)],
      count: 500,
    })),
    ...(await compareStores(stores, {
      what: 'set, 256 in flight',
      ours: set(coatcheck, 256),
      theirs: (store) => [set(store, 256)],
      count: 20_000,
    })),
  ];
  for (const peer of [coatcheck, ...stores]) await peer.clear();
  return rows;
}
