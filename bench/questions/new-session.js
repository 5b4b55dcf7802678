import { compare, compareStores } from '../compare.js';
import { smallData } from '../data.js';

export const question = 'What does a new session cost?';

export async function ask({ coatcheck, stores, emptyCall }) {
  const create = (peer, width) => async (count) => {
    const before = performance.now();
    const took = await peer.create(smallData, count, width);
    const until = performance.now();
    await peer.clear();
    return took ?? until - before;
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
  const afterPauses = (once) => async (count) => {
    let took = 0;
    for (let i = 0; i < count; i++) {
      await pause();
      const before = performance.now();
      await once();
      took += performance.now() - before;
    }
    return took;
  };
  return [
    await compare({
      what: 'newSession, alone after a pause',
      ours: afterPauses(() => coatcheck.create(smallData, 1, 1)),
      peer: emptyCall.name,
      theirs: [afterPauses(() => emptyCall.call(1, 1))],
      count: 200,
      times: 'as long',
      bar: 1.5,
    }),
    await compare({
      what: 'newSession, alone',
      ours: create(coatcheck, 1),
      peer: emptyCall.name,
      theirs: [(count) => emptyCall.call(count, 1)],
      count: 500,
      times: 'as long',
      bar: 1.5,
    }),
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
