import { compareStores } from '../compare.js';
import { smallData } from '../data.js';

export const question = 'What does a new session cost?';

export async function ask({ coatcheck, stores }) {
  const create = (peer, width) => async (count) => {
    const before = performance.now();
    const took = await peer.create(smallData, count, width);
    const until = performance.now();
    await peer.clear();
    return took ?? until - before;
  };
  return [
    ...(await compareStores(stores, {
      what: 'newSession, alone',
      ours: create(coatcheck, 1),
      theirs: (store) => [create(store, 1)],
      count: 500,
    })),
    ...(await compareStores(stores, {
      what: 'newSession, 256 in flight',
      ours: create(coatcheck, 256),
      theirs: (store) => [create(store, 256)],
      count: 20_000,
      bar: 1.5,
    })),
    ...(await compareStores(stores, {
      what: 'newSession, 256 in flight, beside all of a new session',
      ours: create(coatcheck, 256),
      theirs: (store) => [
        async (count) => {
          const before = performance.now();
          await store.createWhole(smallData, count, 256);
          const until = performance.now();
          await store.clear();
          return until - before;
        },
      ],
      count: 20_000,
    })),
  ];
}
